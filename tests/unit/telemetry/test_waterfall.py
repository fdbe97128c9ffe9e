"""The waterfall: spans in their tree, with wall time from world time, and where the time itself went."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.telemetry.sql import SqlWorker
from sandbox.telemetry.waterfall import build, find
from tests.unit.telemetry.toy import SPEED, write_toy


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with SqlWorker(write_toy(tmp_path_factory.mktemp("lake"))) as worker:
        yield worker


def test_the_slowest_request_shows_the_hop_in_which_its_time_went(worker):
    found = find(worker, "slowest", SPEED)

    assert found.trace_id == "req-0002"
    assert [(bar.depth, bar.service, bar.kind) for bar in found.bars] == [
        (0, "gateway", "server"),
        (1, "gateway", "client"),
        (2, "ranking", "server"),
        (3, "ranking", "client"),
        (4, "features", "server"),
    ]
    worst = max(found.bars, key=lambda bar: bar.self_ms)
    assert (worst.service, worst.kind, worst.peer) == ("ranking", "client", "features")
    assert worst.self_ms == pytest.approx(42.0, abs=0.01)  # 46 ms, of which features took 4
    assert found.bars[4].start_ms == pytest.approx(45.0, abs=0.01)
    assert found.total_ms == pytest.approx(60.0, abs=0.01)


@pytest.mark.parametrize("which", ["req-0001", "latest", "req-0002"])
def test_a_request_is_found_by_its_id_or_as_the_latest(worker, which):
    assert find(worker, which, SPEED).trace_id == ("req-0002" if which == "latest" else which)


def test_the_latest_is_one_whose_spans_have_all_arrived(tmp_path):
    """The newer ones lack a root, the handler of a call, or a span in between."""
    with SqlWorker(write_toy(tmp_path, more=5)) as worker:
        assert worker.query("SELECT max_by(request_id, ts) FROM requests").rows == [["req-0007"]]
        assert find(worker, "latest", SPEED).trace_id == "req-0002"
        assert find(worker, "req-0003", SPEED).trace_id == "req-0003", "by its name it can be seen"


@pytest.mark.parametrize("which", ["", "req-000", "nosuch", "x' OR 1=1 --"])
def test_what_names_no_request_or_several_is_refused(worker, which):
    with pytest.raises(SandboxError, match="LAKE-005"):
        find(worker, which, SPEED)


def test_an_empty_lake_says_how_to_get_a_trace(tmp_path):
    with SqlWorker(tmp_path) as worker, pytest.raises(SandboxError, match="LAKE-005") as caught:
        find(worker, "latest", SPEED)

    assert "sandbox recommend" in caught.value.fix


@given(parents=st.lists(st.integers(-2, 12), min_size=1, max_size=12))
def test_every_span_is_drawn_once_whatever_the_parents_say(parents):
    begin = dt.datetime(2024, 1, 1)
    spans = [
        {
            "span_id": str(n), "parent_id": str(parent) if parent >= 0 else None, "service": "s",
            "instance": "s-0", "op": "Call", "kind": "server", "peer": None, "ts": begin,
            "dur_ms": 1.0, "queue_ms": None, "status": "OK", "attempt": 1, "n_keys": None,
            "batch_size": None,
        }
        for n, parent in enumerate(parents)
    ]  # fmt: skip

    found = build("t", spans, SPEED)

    assert sorted(bar.span_id for bar in found.bars) == sorted(span["span_id"] for span in spans)
