"""Traces: lists that are what was asked for, and two requests of which one shows where the other lost its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.room.panels.asking import PAGE, Window
from sandbox.room.panels.traces import Wanted, differences, list_sql, listed, opened
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.sql import SqlWorker
from sandbox.telemetry.waterfall import Bar
from tests.unit.telemetry.toy import SPEED, START, request, span, spans_of

HOUR = Window(START - 60, START + 3_600)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlWorker]:
    """Sixty requests of which the second is slow between ranking and features, and the fifth failed there."""
    root: Path = tmp_path_factory.mktemp("lake")
    store = SegmentStore(root, lambda: 0.0)
    store.add("requests", [
        request(n, latency_ms={2: 60.0}.get(n, 20.0 + n / 100), grpc_status="UNAVAILABLE" if n == 5 else "OK")
        for n in range(1, 61)
    ])  # fmt: skip
    for n in range(1, 61):
        store.add("spans", spans_of(f"req-{n:04d}", 40.0 if n == 2 else 0.0))
    store.add("spans", [span("req-0005", 9, 3, "ranking", "client", "features", 9, 1.0, status="UNAVAILABLE")])
    store.flush()
    with SqlWorker(root) as worker:
        yield worker


def test_the_slowest_come_first_and_a_page_says_whether_there_is_another(lake: SqlWorker):
    first, second = (listed(lake, Wanted(page=n), HOUR) for n in (0, 1))

    assert first.traces[0].trace == "req-0002"
    assert (len(first.traces), first.more, len(second.traces), second.more) == (PAGE, True, 10, False)
    assert not {line.trace for line in first.traces} & {line.trace for line in second.traces}
    assert ("features", "Call", "server") in {(op.service, op.op, op.kind) for op in first.ops}


def test_by_a_span_the_order_and_what_failed_are_those_of_the_span(lake: SqlWorker):
    wanted = Wanted("slowest", service="ranking", op="Call", kind="client")
    failed = Wanted("failed", service="ranking", op="Call", kind="client")

    assert listed(lake, wanted, HOUR).traces[0].span_ms == pytest.approx(46.0)
    assert [line.trace for line in listed(lake, failed, HOUR).traces] == ["req-0005"]
    assert [line.trace for line in listed(lake, Wanted("failed"), HOUR).traces] == ["req-0005"]
    assert listed(lake, Wanted(service="rules"), HOUR).traces == []


def test_a_list_can_be_evidence_as_it_stands(lake: SqlWorker):
    told = listed(lake, Wanted("latest"), HOUR)

    assert [row[0] for row in lake.query(told.sql).rows] == [line.trace for line in told.traces]


@given(word=st.text(max_size=30))
def test_whatever_is_asked_for_is_a_text_and_no_sql(word: str):
    """What is between quotes ends where it should: as many quotes as SQL needs, and what was asked for inside."""
    sql = list_sql(Wanted(service=word), HOUR)

    assert sql.count("'") % 2 == 0
    if word:
        assert f"service = '{word.replace(chr(39), chr(39) * 2)}'" in sql


def test_a_slow_one_beside_a_usual_one_says_in_which_hop_it_lost_its_time(lake: SqlWorker):
    found = opened(lake, "req-0002", "usual", SPEED)

    assert found.against is not None
    assert (found.trace.total_ms, found.against.total_ms) == (60.0, 20.0)
    worst = found.differences[0]
    assert (worst.service, worst.kind, worst.peer) == ("ranking", "client", "features")
    assert worst.self_ms - worst.against_self_ms == pytest.approx(40.0, abs=0.01)
    assert {row[0] for row in lake.query(found.sql).rows} == {"req-0002", found.against.trace}


def test_a_trace_that_there_is_not_is_refused_by_name(lake: SqlWorker):
    with pytest.raises(SandboxError, match="LAKE-005"):
        opened(lake, "x' OR 1=1 --", "", SPEED)
    with pytest.raises(SandboxError, match="LAKE-005"):
        opened(lake, "req-0002", "nobody", SPEED)
    assert opened(lake, "req-0002", "", SPEED).differences == []


BARS = st.lists(
    st.builds(
        Bar, span_id=st.just("s"), parent_id=st.none(), depth=st.just(0), service=st.sampled_from("ab"),
        instance=st.just("i"), op=st.sampled_from("xy"), kind=st.just("server"), peer=st.none() | st.just("p"),
        start_ms=st.just(0.0), dur_ms=st.floats(0, 1e3), self_ms=st.floats(0, 1e3), queue_ms=st.none(),
        status=st.just("OK"), attempt=st.none(), n_keys=st.none(), batch_size=st.none(),
    ),
    max_size=12,
)  # fmt: skip


@given(here=BARS, there=BARS)
def test_every_span_of_both_is_counted_once(here: list[Bar], there: list[Bar]):
    found = differences(here, there)

    assert sum(one.n for one in found) == len(here)
    assert sum(one.against_n for one in found) == len(there)
    assert sum(one.self_ms for one in found) == pytest.approx(sum(bar.self_ms for bar in here), abs=0.1)
    more = [one.self_ms - one.against_self_ms for one in found]
    assert more == sorted(more, reverse=True)
