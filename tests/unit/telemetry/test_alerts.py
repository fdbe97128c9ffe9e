"""Alerts in virtual time: healthy minutes page nobody, a real fall does within its window, and what is
repaired resolves once and stays quiet."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.streams import stream
from sandbox.telemetry.alerts import Event, State, Tick, step
from sandbox.telemetry.settings import AlertSettings

SETTINGS = AlertSettings()
REQUESTS, ITEMS = 40, 10  # per world minute


def minute(number: int, *, ctr: float = 0.06, slow_ms: float = 0.0, slow_share: float = 1.0,
           error_share: float = 0.0, age_share: float = 0.0, seed: int = 1) -> Tick:  # fmt: skip
    """A world minute of a healthy service (median 20 ms, p99 about 50 ms), or one with a fault in it."""
    rng = stream(seed, "tick", number)
    latency = 20.0 * np.exp(0.4 * rng.standard_normal(REQUESTS))
    latency += slow_ms * (rng.random(REQUESTS) < slow_share)
    shown = REQUESTS * ITEMS
    clicks = float(rng.binomial(shown, ctr))
    counts = {
        "errors": (float(rng.binomial(REQUESTS, error_share)), float(REQUESTS)),
        "degraded": (0.0, float(REQUESTS)),
        "empty": (0.0, float(REQUESTS)),
        "short": (0.0, float(REQUESTS)),
        "ctr": (clicks, float(shown)),
        "conversion": (float(rng.binomial(int(clicks), 0.05)), clicks),
        "age:user_session": (float(rng.binomial(20, age_share)), 20.0),
        "age:user_profile": (0.0, float(REQUESTS)),
    }
    return Tick(60.0 * number, counts, tuple(latency.tolist()))


def play(minutes: int, fault: Callable[[int], dict], seed: int = 1) -> list[Event]:
    state, events = State(), []
    for number in range(1, minutes + 1):
        state, happened = step(state, minute(number, seed=seed, **fault(number)), SETTINGS)
        events += happened
    return events


def between(start: int, end: int, **fault: float) -> Callable[[int], dict]:
    return lambda number: fault if start <= number < end else {}


@pytest.mark.parametrize("seed", range(5))
def test_ten_healthy_hours_page_nobody(seed):
    assert play(600, lambda _: {}, seed) == []


@pytest.mark.parametrize(
    ("fault", "rule", "within"),
    [
        ({"slow_ms": 300.0}, "latency-fast-burn", 10),
        ({"slow_ms": 300.0, "slow_share": 0.2}, "latency-fast-burn", 25),
        ({"slow_ms": 300.0, "slow_share": 0.05}, "latency-slow-burn", 180),
        ({"slow_ms": 40.0}, "latency-typical-fast-burn", 30),
        ({"error_share": 0.2}, "errors-fast-burn", 15),
        ({"age_share": 0.9}, "feature-age-user_session-fast-burn", 45),
        ({"ctr": 0.040}, "ctr-low", 40),
    ],
)
def test_a_fault_fires_its_alert_in_time_and_the_repair_resolves_it(fault, rule, within):
    events = [e for e in play(600, between(150, 400, **fault)) if e.rule == rule]

    assert [e.state for e in events] == ["firing", "resolved"]
    fired, resolved = (e.ts / 60 for e in events)
    assert 150 <= fired <= 150 + within
    assert 400 <= resolved <= 400 + 60
    assert events[0].severity == ("ticket" if "slow-burn" in rule else "page")
    assert events[0].threshold > 0


def test_a_better_click_rate_pages_nobody():
    assert play(400, between(150, 400, ctr=0.09)) == []


def test_a_single_bad_minute_pages_nobody():
    assert play(400, between(200, 201, slow_ms=300.0, slow_share=0.5)) == []


def test_too_few_requests_give_no_verdict():
    state, events = State(), []
    for number in range(1, 60):
        tick = Tick(60.0 * number, {"errors": (1.0, 1.0)}, (900.0,))
        state, happened = step(state, tick, SETTINGS)
        events += happened

    assert events == []


def test_a_fault_that_is_there_from_the_first_minute_is_not_learned_as_healthy_where_a_promise_exists():
    events = play(60, lambda _: {"error_share": 0.3})

    assert next(e.rule for e in events if e.state == "firing") == "errors-fast-burn"


@settings(max_examples=30, deadline=None)
@given(shares=st.lists(st.sampled_from([0.0, 0.005, 0.03, 0.5]), min_size=1, max_size=60))
def test_whatever_happens_firing_and_resolved_alternate_for_each_rule(shares):
    state, log = State(), {}
    for number, share in enumerate((s for s in shares for _ in range(5)), 1):
        state, events = step(state, minute(number, error_share=share), SETTINGS)
        for event in events:
            log.setdefault(event.rule, []).append(event.state)

    for states in log.values():
        assert states == ["firing", "resolved"] * (len(states) // 2) + ["firing"] * (len(states) % 2)
    assert set(state.firing) == {rule for rule, states in log.items() if states[-1] == "firing"}
