"""The overload bench's arithmetic, on a side whose answers are known."""

from __future__ import annotations

import pytest

from sandbox.base.errors import SandboxError
from sandbox.bench.overload import GOOD_MS, Ended, measure, point


class Made:
    """Serves 40 a second in 50 ms. Beyond, all are late without a limit, and with one the rest are turned away."""

    def __init__(self, per_s=40.0):
        self.per_s, self.now, self.modes = per_s, "off", []

    def mode(self, mode):
        self.now = mode
        self.modes.append(mode)

    def load(self, at_s, seed):
        rate = len(at_s) / 15
        if rate <= self.per_s:
            return [Ended(at, 50.0, "OK", True) for at in at_s]
        if self.now == "off":
            return [Ended(at, 1_500.0, "OK", False) for at in at_s]
        share = self.per_s / rate
        return [
            Ended(at, 60.0, "OK", True)
            if int((i + 1) * share) > int(i * share)
            else Ended(at, 0.0, "UNAVAILABLE", False)
            for i, at in enumerate(at_s)
        ]


def quiet(message, share):
    pass


def test_a_good_answer_is_whole_and_in_time_and_the_beginning_does_not_count():
    ended = [
        Ended(1.0, 10.0, "OK", True), Ended(6.0, 10.0, "OK", True), Ended(7.0, 20.0, "OK", False),
        Ended(8.0, GOOD_MS + 1, "OK", True), Ended(9.0, 0.5, "UNAVAILABLE", False),
        Ended(9.5, 2_000.0, "DEADLINE_EXCEEDED", False),
    ]  # fmt: skip
    found = point("off", 1.0, ended, 5.0, 10.0)

    assert (found.n, found.good_per_s, found.answered_per_s) == (5, 0.2, 0.6)
    assert (found.good_share, found.shed_share) == (0.2, 0.2)
    assert found.p50_ms == 20.0


def test_the_knee_the_peak_and_what_is_left_at_twice_that():
    side = Made()
    told = measure(side, "made", 2, 15.0, quiet)

    assert 25 < told["figures"]["knee_per_s"] < 41
    assert told["ratios"]["goodput_at_2x_vs_peak_off"] == 0
    assert told["ratios"]["p99_at_2x_vs_knee_off"] == 30
    for mode in ("gradient", "vegas"):
        assert told["ratios"][f"goodput_at_2x_vs_peak_{mode}"] > 0.95
        assert told["ratios"][f"p99_at_2x_vs_knee_{mode}"] == 1.2
        assert told["figures"][f"shed_share_below_the_knee_{mode}"] == 0
    assert side.modes[-1] == "off", "it leaves a stack as it found it"
    assert told["conditions"]["rounds"] == 2


def test_a_stack_that_serves_nobody_has_no_knee():
    with pytest.raises(SandboxError, match="WIRE-005"):
        measure(Made(per_s=0.1), "made", 1, 15.0, quiet)


@pytest.mark.parametrize(("rounds", "seconds"), [(0, 15.0), (1, 1.0), (21, 15.0), (1, float("nan"))])
def test_what_cannot_be_measured_is_refused(rounds, seconds):
    with pytest.raises(SandboxError, match="CFG-001"):
        measure(Made(), "made", rounds, seconds, quiet)
