"""Acknowledged feedback reaches the lake once, whoever is killed in between."""

from __future__ import annotations

from pathlib import Path

from sandbox.base.rows import row_of
from sandbox.telemetry import outcomes
from sandbox.telemetry.outcomes import Outcomes, recorded
from sandbox.telemetry.segments import SegmentStore
from services.events.journal import Journal


def a_row(event_id: str) -> tuple:
    return row_of.outcomes(
        event_ts=1.0, ingest_ts=2.0, event_id=event_id, request_id="r", session_id="s", user_id=1, item_id=2, kind="click", value=1.0,
    )  # fmt: skip


def ids(rows: list) -> list[str]:
    return [row[outcomes._ID] for row in rows]


def write(journal: Path, *event_ids: str) -> None:
    """By a process of its own, which is then killed."""
    Journal(journal).write([(one, a_row(one)) for one in event_ids])


def test_what_the_writer_could_not_send_is_found_in_its_journal(tmp_path):
    journal = tmp_path / "outcomes.journal"
    collector = Outcomes(journal, [])
    assert collector.tail() == []
    write(journal, "a", "b")

    assert ids(collector.fresh([a_row("a")])) == ["a"], "sent as telemetry before"
    assert ids(collector.tail()) == ["b"]
    assert collector.tail() == []
    assert collector.fresh([a_row("b")]) == [], "and once only"


def test_a_collector_that_was_killed_goes_on_with_what_the_lake_lacks(tmp_path):
    journal, store = tmp_path / "outcomes.journal", SegmentStore(tmp_path / "lake", lambda: 0.0)
    write(journal, "a", "b")
    store.add("outcomes", Outcomes(journal, []).tail())
    store.flush()
    write(journal, "c")  # the collector took it in and was killed before it was published

    after = Outcomes(journal, recorded(tmp_path / "lake"))

    assert sorted(recorded(tmp_path / "lake")) == ["a", "b"]
    assert ids(after.tail()) == ["c"]


def test_a_line_that_its_writer_left_half_spoils_nothing(tmp_path):
    journal = tmp_path / "outcomes.journal"
    write(journal, "a")
    with journal.open("a") as file:
        file.write('[1.0, 2.0, "b", "r')
    collector = Outcomes(journal, [])

    assert ids(collector.tail()) == ["a"]
    write(journal, "c")
    assert ids(collector.tail()) == ["c"]


def test_memory_is_bounded_once_the_past_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(outcomes, "REMEMBERED", 3)
    journal = tmp_path / "outcomes.journal"
    write(journal, *"abcdef")
    collector = Outcomes(journal, list("abcdef"))

    assert collector.tail() == [], "all of it is known, however much that is"
    collector.fresh([a_row("g")])
    assert ids(collector.fresh([a_row("g"), a_row("a")])) == ["a"], "the oldest are forgotten"


def test_an_event_without_an_id_is_always_new(tmp_path):
    collector = Outcomes(tmp_path / "none", [])

    assert len(collector.fresh([a_row(""), a_row("")])) == 2


def test_a_full_disk_costs_the_safety_and_not_the_feedback(tmp_path):
    journal = Journal(tmp_path / "no" / "such" / "place")
    journal.write([("a", a_row("a"))])

    assert journal.knows("a")
    journal.close()
