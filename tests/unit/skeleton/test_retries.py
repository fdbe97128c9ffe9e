"""Whether a call is tried again: as it is today by default, and bounded by a budget where there is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.config import Edge
from services.skeleton.retries import PURSE, Retries, backoff_s, ends_of

ALWAYS = 1e9


def follows(edge, code, attempt=1, now=0.0, retries=None):
    return (retries or Retries()).follows(edge, code, attempt, now, ALWAYS)


def test_by_default_only_an_unavailable_callee_is_tried_again_once():
    edge = Edge(deadline_ms=100)

    assert follows(edge, "WIRE-005")
    assert not follows(edge, "WIRE-005", attempt=2)
    assert not any(follows(edge, code) for code in ("WIRE-004", "WIRE-006", "WIRE-008", "STORE-001"))


def test_an_attempt_with_a_time_of_its_own_is_tried_again_when_it_is_over():
    edge = Edge(deadline_ms=100, timeout_ms=20, attempts=3)

    assert follows(edge, "WIRE-004")
    assert ends_of(edge, 1.0, 9.0) == pytest.approx(1.02)
    assert ends_of(edge, 8.99, 9.0) == 9.0
    assert not Retries().follows(edge, "WIRE-004", 1, 9.0, 9.0)  # the call as a whole is late


def test_without_a_time_of_its_own_an_attempt_has_all_that_is_left():
    assert ends_of(Edge(deadline_ms=100), 1.0, 9.0) == 9.0


def test_the_pause_doubles_with_every_attempt():
    edge = Edge(deadline_ms=100, backoff_ms=5)

    assert [backoff_s(edge, attempt) for attempt in (1, 2, 3)] == [0.005, 0.01, 0.02]
    assert backoff_s(Edge(deadline_ms=100), 3) == 0


def test_a_budget_bears_a_burst_and_then_its_share():
    edge, retries = Edge(deadline_ms=100, retry_budget=0.1, attempts=30), Retries()

    burst = [follows(edge, "WIRE-005", retries=retries) for _ in range(20)]
    assert burst == [True] * int(PURSE) + [False] * 10

    n = 0
    for _ in range(1000):
        retries.called(edge)
        n += follows(edge, "WIRE-005", retries=retries)
    assert n == pytest.approx(100, abs=2)


@given(share=st.floats(0, 1), calls=st.integers(0, 300), each=st.integers(1, 10))
def test_no_budget_is_ever_overdrawn(share, calls, each):
    edge, retries, n = Edge(deadline_ms=100, retry_budget=share, attempts=30), Retries(), 0

    for _ in range(calls):
        retries.called(edge)
        n += sum(follows(edge, "WIRE-005", retries=retries) for _ in range(each))

    assert n <= PURSE + share * calls + 1e-6
