"""One recommendation explained, and the pages of those whom it concerns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.panels.asking import Window
from sandbox.room.panels.slates import Candidate, Wanted, explained, funnel, listed
from sandbox.room.panels.subjects import item_page, user_page
from sandbox.telemetry.sql import SqlWorker
from tests.unit.room.panels.toy import END, USER, write_lake

WHOLE = Window.before(END, 60)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlWorker]:
    with SqlWorker(write_lake(tmp_path_factory.mktemp("lake"))) as worker:
        yield worker


def test_requests_are_found_by_user_by_item_and_by_how_much_is_known_of_them(lake: SqlWorker):
    def found(**wanted: int | bool) -> list[str]:
        return [line.request for line in listed(lake, Wanted(**wanted), WHOLE).slates]  # type: ignore[arg-type]

    assert found() == ["req-0130", "req-0070", "req-0010"]
    assert found(user=USER, item=3) == ["req-0130", "req-0070"]
    assert found(in_full=True) == ["req-0070"]
    assert found(user=8) == []
    first = listed(lake, Wanted(), WHOLE).slates[-1]
    assert (first.clicks, first.conversions, first.in_full) == (1, 1, False)


def test_a_request_known_in_full_tells_why_each_candidate_was_shown_or_not(lake: SqlWorker):
    told = explained(lake, "latest")

    assert (told.request, told.user, told.in_full) == ("req-0070", USER, True)
    assert [(c.item, c.position, c.rank, c.dropped_by, c.clicked) for c in told.candidates] == [
        (3, 1, 2, None, 1), (4, 2, 3, None, 0), (1, None, 1, "seen", None), (2, None, 4, "plain", None),
    ]  # fmt: skip
    assert told.funnel.model_dump() == {
        "found": [{"name": "plain", "n": 4}], "merged": 4, "ranked": 4, "shown": 2,
        "dropped": [{"name": "seen", "n": 1}, {"name": "plain", "n": 1}],
    }  # fmt: skip
    assert [line.request for line in told.earlier] == ["req-0010"]
    assert [row[0] for row in told.reads.rows] == ["plain"]
    assert [row[0] for row in lake.query(told.sql).rows] == [3, 4, 1, 2]  # as evidence it shows the same


def test_a_value_that_was_served_has_its_age_and_what_the_batch_job_had_last_before(lake: SqlWorker):
    profile, stats = explained(lake, "req-0070").features

    assert (profile.entity, profile.value, profile.age_s, profile.batch) == ("user", 0.5, 60.0, 0.4)
    assert (stats.entity, stats.entity_id, stats.batch) == ("item", "3", None)


def test_of_a_request_that_was_not_sampled_what_was_shown_and_what_rules_dropped_is_known(lake: SqlWorker):
    told = explained(lake, "req-0010")

    assert (told.in_full, told.features, told.earlier) == (False, [], [])
    assert [(c.item, c.position, c.converted) for c in told.candidates] == [(1, 1, 1), (2, 2, 0)]
    assert [(count.name, count.n) for count in told.funnel.dropped] == [("plain", 1)]


def test_what_is_unknown_in_a_funnel_is_none_and_not_zero():
    shown = Candidate(**dict.fromkeys(Candidate.model_fields) | {"item": 1, "position": 1})  # type: ignore[arg-type]

    told = funnel({}, [], [shown], [])

    assert (told.found, told.merged, told.ranked, told.dropped, told.shown) == ([], None, None, [], None)


def test_a_user_has_their_consents_as_they_are_and_their_history(lake: SqlWorker):
    page = user_page(lake, USER)

    assert [line.request for line in page.slates] == ["req-0130", "req-0070", "req-0010"]
    assert [row[:2] for row in page.consents.rows] == [["personalisation", "granted"]]
    assert [row[1] for row in page.outcomes.rows] == ["conversion", "click", "click"]
    assert [row[:3] for row in page.features.rows] == [["user_profile", "plain", 0.5]]


def test_an_item_tells_to_whom_it_was_shown_and_what_the_rules_did_with_it(lake: SqlWorker):
    page = item_page(lake, 1)

    assert {fact.name: fact.value for fact in page.facts}["creator"] == "plain"
    assert sum(row[1] for row in page.hours.rows) == 2
    assert [row[:3] for row in page.decisions.rows] == [["seen", "drop", 1]]
    assert [line.request for line in page.slates] == ["req-0130", "req-0010"]


@pytest.mark.parametrize(
    "look",
    [lambda lake: explained(lake, "' OR true"), lambda lake: user_page(lake, 8), lambda lake: item_page(lake, 99)],
)
def test_what_there_is_not_is_refused_by_name(lake: SqlWorker, look):
    with pytest.raises(SandboxError, match="WIRE-003"):
        look(lake)
