"""Logs: searched as they are written, and counted by pattern, where only what varies is masked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.room.panels.asking import Window
from sandbox.room.panels.logs import Wanted, counted, listed, masked, patterns
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.sql import SqlWorker
from tests.unit.telemetry.toy import START, row

HOUR = Window(START - 60, START + 3_600)


def line(n: int, service: str, level: str, msg: str, fields: str = "{}") -> list[object]:
    return row("logs", ts=START + n, service=service, instance=f"{service}-0", level=level, msg=msg, fields=fields)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlWorker]:
    root: Path = tmp_path_factory.mktemp("lake")
    store = SegmentStore(root, lambda: 0.0)
    store.add("logs", [
        *(line(n, "gateway", "warn", "stage fell back", f'{{"stage": "rules", "ms": {n}}}') for n in range(60)),
        line(70, "gateway", "warn", "stage fell back", '{"stage": "ranking", "ms": 3}'),
        line(80, "events", "error", "50% of batch_7 lost"),
        line(5_000, "events", "error", "after the window"),
    ])  # fmt: skip
    store.flush()
    with SqlWorker(root) as worker:
        yield worker


def test_what_varies_is_one_pattern_and_what_tells_something_is_not(lake: SqlWorker):
    found = counted(lake, Wanted(), HOUR)

    assert [(p.n, p.pattern) for p in found.patterns] == [
        (60, 'stage fell back {"stage": "rules", "ms": <n>}'),
        (1, "<n>% of batch_7 lost"),
        (1, 'stage fell back {"stage": "ranking", "ms": <n>}'),
    ]
    assert (found.n, found.services, found.more) == (62, ["events", "gateway"], False)
    assert (found.patterns[0].first_ts, found.patterns[0].last_ts) == (START, START + 59)
    assert lake.query(found.sql).rows[0][3] == 61


@pytest.mark.parametrize(
    ("wanted", "n"),
    [
        (Wanted(text="RANKING"), 1), (Wanted(text="50%"), 1), (Wanted(text="batch_7"), 1), (Wanted(text="batchx7"), 0),
        (Wanted(service="events"), 1), (Wanted(level="error"), 1), (Wanted(text="' OR true --"), 0),
        (Wanted(msg="stage fell back", page=1), 11), (Wanted(trace="none"), 0),
    ],
)  # fmt: skip
def test_a_search_finds_what_is_written_and_takes_no_letter_for_more(lake: SqlWorker, wanted: Wanted, n: int):
    found = listed(lake, wanted, HOUR)

    assert len(found.lines) == n
    assert [line.world_ts for line in found.lines] == sorted((line.world_ts for line in found.lines), reverse=True)


@pytest.mark.parametrize(
    ("told", "pattern"),
    [
        ("took 12.5 ms of 40", "took <n> ms of <n>"),
        ("cfebd39ca44809d01b57cee77e3a94f5 gone", "<id> gone"),
        ("at 2026-03-02T08:01:52.07Z from 10.0.0.1:80", "at <time> from <address>"),
        ("cannot write /var/lib/x.db", "cannot write <path>"),
        ("WIRE-004 by rk-1 in v2.1, facade", "WIRE-004 by rk-1 in v2.1, facade"),
    ],
)
def test_ids_times_and_numbers_are_masked_and_codes_stay(told: str, pattern: str):
    assert masked(told) == pattern


@given(told=st.text(max_size=80), n=st.integers(0, 10**9))
def test_lines_that_differ_in_a_number_are_one_pattern(told: str, n: int):
    assert masked(f"{told} took {n} ms") == masked(f"{told} took {n + 1} ms")
    assert masked(masked(told)) == masked(told)


@given(groups=st.lists(st.tuples(
    st.sampled_from("ab"), st.sampled_from(["warn", None]), st.text(max_size=9), st.none() | st.text(max_size=9),
    st.integers(1, 9), st.floats(0, 9), st.floats(0, 9),
), max_size=20))  # fmt: skip
def test_no_line_is_counted_twice_or_lost(groups: list[tuple[object, ...]]):
    found = patterns([list(group) for group in groups])

    assert sum(p.n for p in found) == sum(group[4] for group in groups)  # type: ignore[misc]
    assert len({(p.service, p.level, p.pattern) for p in found}) == len(found)
