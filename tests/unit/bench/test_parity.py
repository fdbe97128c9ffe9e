"""Comparing a live run with a virtual one: what differs is found, what does not is not, and how surely."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.base.errors import SandboxError
from sandbox.bench import parity, virtual
from sandbox.bench.paired import SPEED
from sandbox.telemetry.segments import SegmentStore
from tests.unit.telemetry.toy import START, request, row


def blocks(
    seed: int, n: int = 29, per_block: int = 400, *, wait: float = 20.0, ctr: float = 0.1, degraded: float = 0.01
) -> list[np.ndarray]:
    """A run of requests: lognormal waits, 10 items each."""
    rng = np.random.default_rng(seed)
    return [
        np.stack([
            wait * np.exp(0.4 * rng.normal(size=per_block)), rng.random(per_block) < degraded,
            np.full(per_block, 10.0), rng.binomial(10, ctr, per_block),
        ], axis=1)
        for _ in range(n)
    ]  # fmt: skip


def test_two_runs_of_one_kind_agree_within_their_intervals():
    found = parity.compared([blocks(1), blocks(2), blocks(3)], [blocks(4), blocks(5), blocks(6)])

    assert set(found) == set(parity.BOUNDS)
    for name, figure in found.items():
        assert figure["low"] <= 0 <= figure["high"], name
        assert abs(figure["estimate"]) < parity.BOUNDS[name], name


def test_each_difference_is_found_with_its_sign():
    live = [blocks(1), blocks(2), blocks(3)]
    other = [blocks(s, wait=25.0, ctr=0.09, degraded=0.05) for s in (4, 5, 6)]

    found = parity.compared(live, other)

    assert found["ctr_relative"]["estimate"] == pytest.approx(-0.1, abs=0.02)
    assert found["degraded_points"]["estimate"] == pytest.approx(4.0, abs=0.4)
    assert found["p50_relative"]["estimate"] == pytest.approx(0.25, abs=0.02)
    assert found["p99_relative"]["estimate"] == pytest.approx(0.25, abs=0.06)
    for name in found:
        low, high = found[name]["low"], found[name]["high"]
        assert low <= found[name]["estimate"] <= high
        assert low > 0 or high < 0, "an interval that leaves zero out"


def test_seeds_that_differ_widen_the_interval():
    alike = parity.compared([blocks(1), blocks(2)], [blocks(3), blocks(4)])
    apart = parity.compared([blocks(1, wait=10.0), blocks(2, wait=40.0)], [blocks(3, wait=20.0), blocks(4, wait=20.0)])

    def width(found: dict) -> float:
        return found["p50_relative"]["high"] - found["p50_relative"]["low"]

    assert width(apart) > 5 * width(alike)


def test_too_few_requests_are_no_comparison():
    with pytest.raises(SandboxError, match="CFG-002"):
        parity.compared([blocks(1, n=1, per_block=20)], [blocks(2)])


@pytest.mark.parametrize(("minutes", "seeds"), [(0, 3), (10, 0), (float("nan"), 3)])
def test_absurd_numbers_are_refused_before_anything_starts(minutes, seeds):
    with pytest.raises(SandboxError, match="CFG-001"):
        parity.measure("tiny", minutes, seeds, None, lambda *_: None)


def test_requests_of_a_lake_come_in_blocks_without_the_warm_up(tmp_path):
    """One request a wall second for 70 s: the first 20 do not count, the rest fills two blocks."""
    store = SegmentStore(tmp_path, lambda: 0.0)
    for n in range(70):
        name, ts = f"req-{n:04d}", START + n * SPEED
        store.add("requests", [request(n, ts=ts, request_id=name, degraded=n == 30)])
        store.add("locust", [row("locust", ts=ts, request_id=name, rt_ms=float(n), ok=True)])
        store.add("impressions", [row("impressions", ts=ts, request_id=name, item_id=i, position=i) for i in (1, 2, 3)])
        click = row("outcomes", event_ts=ts, request_id=name, item_id=2, kind="click", value=1.0)
        store.add("outcomes", [click, click] if n % 2 else [])
    store.flush()

    found = parity.requests_of(tmp_path, wall_s=65.0)

    assert [len(block) for block in found] == [20, 20]
    assert found[0][10].tolist() == [30.0, 1.0, 3.0, 0.0]
    assert found[1][1].tolist() == [41.0, 0.0, 3.0, 1.0], "delivered twice, clicked once"


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(SandboxError, match="CFG-001"):
        virtual.require_device("abacus")
    virtual.require_device("cpu")
