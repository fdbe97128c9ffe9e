"""The circuit breaker by itself: when it opens, whom it lets try, and that it always comes back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.config import Breaker
from services.skeleton.breaker import N_BUCKETS, CircuitBreaker

FOUR = Breaker(failed_share=0.5, least_calls=4, window_s=10, open_s=5, trial_calls=2)
OUTCOMES = st.sampled_from((True, False, None))  # failed, did well, nobody knows


class Bench:
    """A breaker, and the lines that it logged."""

    def __init__(self, wanted: Breaker = FOUR) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.breaker = CircuitBreaker(wanted, self._log)

    def _log(self, level: str, msg: str, **fields: object) -> None:
        self.lines.append((msg, fields))

    def calls(self, now: float, outcomes: Sequence[bool | None]) -> list[bool]:
        """Calls one after the other, all at that time. Which of them were let through."""
        passed = []
        for failed in outcomes:
            admitted = self.breaker.admit(now)
            passed.append(bool(admitted))
            if admitted:
                self.breaker.ended(admitted, now, failed)
        return passed


def opened(now: float = 0.0) -> Bench:
    bench = Bench()
    bench.calls(now, [True] * 4)
    assert bench.breaker.state == "open"
    return bench


def test_half_of_the_least_number_of_calls_opens_it_and_then_calls_fail_at_once() -> None:
    bench = Bench()

    assert bench.calls(1.0, [False, False, True]) == [True] * 3
    assert bench.breaker.state == "closed"
    assert bench.calls(2.0, [True, True]) == [True, False]

    assert bench.breaker.state == "open"
    assert bench.lines == [("circuit breaker opened", {"calls": 4, "failed": 2, "open_s": 5.0})]


def test_a_call_that_does_well_never_opens_it() -> None:
    bench = Bench()
    bench.calls(0.0, [True, True, True, False])

    assert bench.breaker.state == "closed"  # three of four failed, but the fourth did not


def test_failures_that_have_left_the_window_no_longer_count() -> None:
    bench = Bench()
    bench.calls(0.5, [True] * 3)
    bench.calls(10.5, [True] * 3)

    assert bench.breaker.state == "closed"
    bench.calls(19.9, [True])
    assert bench.breaker.state == "open"


def test_after_its_time_so_many_trial_calls_as_configured_are_let_through() -> None:
    bench = opened(0.0)

    assert bench.calls(4.999, [False]) == [False]
    assert [bool(bench.breaker.admit(5.0)) for _ in range(4)] == [True, True, False, False]
    assert bench.breaker.state == "half-open"


def test_trial_calls_that_all_do_well_close_it_and_it_counts_anew() -> None:
    bench = opened(0.0)
    bench.calls(5.0, [False, False])

    assert bench.breaker.state == "closed"
    bench.calls(5.0, [True] * 3)
    assert bench.breaker.state == "closed"
    assert [msg for msg, _ in bench.lines] == [
        "circuit breaker opened",
        "circuit breaker half-open",
        "circuit breaker closed",
    ]


def test_one_trial_call_that_fails_opens_it_for_as_long_again() -> None:
    bench = opened(0.0)
    bench.calls(6.0, [False, True])

    assert bench.breaker.state == "open"
    assert bench.calls(10.9, [False]) == [False]
    assert bench.calls(11.0, [False]) == [True]


def test_a_trial_call_that_nobody_waited_for_gives_its_place_back() -> None:
    bench = opened(0.0)

    assert bench.calls(5.0, [None] * 10) == [True] * 10
    assert bench.breaker.state == "half-open"


def test_what_began_before_the_breaker_opened_neither_closes_nor_reopens_it() -> None:
    bench = Bench()
    early = [bench.breaker.admit(0.0) for _ in range(8)]
    for admitted in early[:4]:
        bench.breaker.ended(admitted, 1.0, True)
    trial = bench.breaker.admit(6.0)

    bench.breaker.ended(early[4], 6.1, True)
    bench.breaker.ended(early[5], 6.1, False)
    bench.breaker.ended(early[6], 6.1, False)
    assert bench.breaker.state == "half-open"
    bench.breaker.ended(trial, 6.2, False)
    bench.breaker.ended(bench.breaker.admit(6.2), 6.3, False)
    assert bench.breaker.state == "closed"


def test_trial_calls_may_take_longer_than_the_window() -> None:
    bench = Bench(FOUR.model_copy(update={"window_s": 0.1}))
    bench.calls(0.0, [True] * 4)
    bench.calls(5.0, [False])
    bench.calls(9.0, [False])

    assert bench.breaker.state == "closed"


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 1.0])
def test_the_share_itself_is_enough(share: float) -> None:
    bench = Bench(Breaker(failed_share=share, least_calls=30))
    n = math.ceil(30 * share - 1e-9)
    bench.calls(0.0, [False] * (30 - n) + [True] * (n - 1))
    assert bench.breaker.state == "closed"
    bench.calls(0.0, [True])
    assert bench.breaker.state == "open"


def test_settings_read_anew_fit_and_others_do_not() -> None:
    breaker = Bench().breaker

    assert breaker.fits(FOUR.model_copy())
    assert not breaker.fits(FOUR.model_copy(update={"open_s": 6.0}))


STEPS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.01, 0.3, 1.0, 7.0)),  # seconds until the next step
        st.sampled_from(("begin", "end")),
        OUTCOMES,
    ),
    max_size=200,
)
SETTINGS = st.builds(
    Breaker,
    failed_share=st.floats(0.05, 1),
    least_calls=st.integers(1, 12),
    window_s=st.sampled_from((0.5, 2.0, 10.0)),
    open_s=st.sampled_from((0.5, 3.0)),
    trial_calls=st.integers(1, 4),
)


@settings(max_examples=200, deadline=None)
@given(SETTINGS, STEPS)
def test_whatever_happens_it_keeps_its_promises_and_comes_back(
    wanted: Breaker, steps: list[tuple[float, str, bool | None]]
) -> None:
    """Beside the breaker runs a plain account of all calls, against which each change of state is held."""
    bench, now = Bench(wanted), 0.0
    breaker = bench.breaker
    begun: list[tuple[int, int]] = []  # calls in progress: pass, changes of state before they began
    ended: list[tuple[float, bool]] = []  # since it was closed last
    trials = unknown = 0  # since it was half-open last
    opened_at = -math.inf
    for wait, what, failed in steps:
        now += wait
        before, n = breaker.state, len(bench.lines)
        if what == "begin":
            admitted = breaker.admit(now)
            if breaker.state == "half-open":
                trials = unknown = 0 if before == "open" else trials
                trials += bool(admitted)
                assert trials - unknown <= wanted.trial_calls
                assert now >= opened_at + wanted.open_s
            assert bool(admitted) == (breaker.state == "closed") or breaker.state == "half-open"
            if admitted:
                begun.append((admitted, len(bench.lines)))
        elif begun:
            admitted, changes = begun.pop(0)
            breaker.ended(admitted, now, failed)
            fresh = changes == n
            if before == "closed" and fresh and failed is not None:
                ended.append((now, failed))
            if before == "half-open" and fresh and failed is None:
                unknown += 1
        if breaker.state != before:
            assert len(bench.lines) > n, "every change is logged"
            if breaker.state == "open":
                opened_at = now
                if before == "closed":
                    # Never below the least number of calls, whichever way buckets are cut.
                    recent = [bad for at, bad in ended if at > now - wanted.window_s]
                    assert len(recent) >= wanted.least_calls
                    assert recent[-1]
            ended.clear()

    for admitted, _ in begun:  # the callee is well from now on, and what was on its way is over
        breaker.ended(admitted, now, None)
    now += wanted.open_s
    bench.calls(now, [False] * wanted.trial_calls)
    assert breaker.state == "closed"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3) | st.floats(8, 12), st.booleans()), max_size=60))
def test_a_closed_breaker_counts_what_lies_in_its_window_of_buckets(calls: list[tuple[float, bool]]) -> None:
    """Against a list of all calls: it opens with the call with which so many of them have failed."""
    bench, now = Bench(), 0.0
    all_: list[tuple[int, bool]] = []
    for wait, failed in calls:
        now += wait
        bench.calls(now, [failed])
        bucket = int(now / (FOUR.window_s / N_BUCKETS))
        all_.append((bucket, failed))
        inside = [bad for at, bad in all_ if at > bucket - N_BUCKETS]
        if failed and len(inside) >= 4 and sum(inside) * 2 >= len(inside):
            assert bench.breaker.state == "open"
            return
        assert bench.breaker.state == "closed"
