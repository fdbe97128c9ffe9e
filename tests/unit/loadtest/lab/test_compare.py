"""Two loads compared: what differs is found, what does not is not, and few requests give no verdict."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.lab.compare import compare
from tests.unit.loadtest.lab.runs import a_run, requests


def held(a, b, seconds: float = 20.0) -> dict:
    return compare([a.requests], [b.requests], [(seconds, seconds)])


def test_twice_as_slow_is_seen_with_its_ratio():
    told = held(a_run(scale_ms=20, seed=1), a_run(scale_ms=40, seed=2))

    assert told["p50_ms"]["verdict"] == "a"
    assert told["p50_ms"]["low"] <= 2.0 <= told["p50_ms"]["high"]
    assert told["p50_ms"]["ratio"] == pytest.approx(2.0, rel=0.2)
    assert set(told["p90_ms"]) == {"a", "b", "ratio", "low", "high", "verdict"}


def test_of_two_that_are_the_same_no_more_than_chance_says_otherwise():
    """Six pairs of equal services, four figures each: at 95 % one false verdict on the average, more than 6 never."""
    pairs = [held(a_run(seed=2 * n), a_run(seed=2 * n + 1)) for n in range(6)]
    wrong = [told[m]["verdict"] for told in pairs for m in ("p50_ms", "p90_ms", "mean_ms", "ok_per_s")]

    assert sum(v in ("a", "b") for v in wrong) <= 6


def test_a_percentile_that_few_requests_lie_beyond_has_no_verdict():
    told = held(a_run(rate=10, seed=1), a_run(rate=10, seed=2, scale_ms=60))

    assert told["p99_ms"]["verdict"] == "too few"
    assert told["p99.9_ms"]["verdict"] == "too few"
    assert told["p50_ms"]["verdict"] == "a"
    assert (told["p99_ms"]["low"], told["p99_ms"]["high"]) == (None, None)


def test_a_short_load_has_no_verdict_at_all():
    told = compare([a_run(seconds=4).requests], [a_run(seconds=4, scale_ms=500).requests], [(4, 4)])

    assert {m["verdict"] for m in told.values()} == {"too few"}


def test_errors_on_one_side_are_told_though_nothing_can_be_divided_by_none():
    told = held(a_run(seed=1), a_run(seed=2, failed=0.5))

    assert told["error_share"]["verdict"] == "a"
    assert told["error_share"]["ratio"] is None
    assert told["ok_per_s"]["verdict"] == "a"


def test_loads_in_turns_count_together():
    slow, fast = (a_run(scale_ms=ms, seed=3, seconds=6).requests for ms in (40, 20))
    told = compare([fast, fast], [slow, slow], [(6, 6), (6, 6)])

    assert told["p50_ms"]["verdict"] == "a", "6 s alone would be too few"


def test_the_same_comparison_has_the_same_interval():
    a, b = a_run(seed=1), a_run(seed=2)

    assert held(a, b) == held(a, b)


def test_nothing_answered_is_no_figure():
    nothing = requests(np.arange(0, 20, 0.1), 2.0, failed=1.0)
    told = compare([a_run().requests], [nothing], [(20, 20)])

    assert told["p50_ms"]["b"] is None
    assert told["p50_ms"]["verdict"] == "too few"
