"""Which indicator leaves its healthy range first, and which alert counts."""

from __future__ import annotations

from sandbox.drill.proof.signals import Shown, Signal, first_signal

ONSET = 600.0


def day(ctr, alerts=(), latency=lambda _: 10.0) -> Shown:
    """An hour of two indicators by minute, as functions of the minute."""
    rows = []
    for minute in range(1, 61):
        rows.append((60.0 * minute, "ctr", "region=EU", ctr(minute)))
        rows.append((60.0 * minute, "latency_p50_ms", "all", latency(minute)))
    return Shown(rows, list(alerts))


HEALTHY = [day(lambda m: 0.10 + 0.01 * (m % 2)), day(lambda m: 0.11)]  # 0.10 to 0.11: 0.095 to 0.115


def test_the_first_reading_of_a_lasting_departure_counts():
    incident = day(lambda m: 0.09 if m >= 20 else 0.105)

    assert first_signal(incident, HEALTHY, ONSET) == Signal("ctr region=EU", 1_200 - ONSET)


def test_one_reading_outside_or_one_at_the_edge_is_no_signal():
    assert first_signal(day(lambda m: 0.09 if m % 2 else 0.105), HEALTHY, ONSET) is None
    assert first_signal(day(lambda m: 0.0951), HEALTHY, ONSET) is None


def test_what_was_out_of_range_before_the_onset_does_not_count():
    assert first_signal(day(lambda m: 0.0 if m < 9 else 0.105), HEALTHY, ONSET) is None


def test_an_alert_counts_when_no_healthy_day_has_it():
    fired = [(300.0, "early"), (900.0, "usual"), (960.0, "ctr-low")]
    healthy = [*HEALTHY, day(lambda m: 0.105, alerts=[(2_000.0, "usual")])]

    found = first_signal(day(lambda m: 0.105, alerts=fired), healthy, ONSET)

    assert found == Signal("alert ctr-low", 360.0)


def test_the_earlier_of_both_is_the_first():
    incident = day(
        lambda m: 0.09 if m >= 20 else 0.105, alerts=[(900.0, "ctr-low")], latency=lambda m: 50.0 if m >= 12 else 10.0
    )

    assert first_signal(incident, HEALTHY, ONSET) == Signal("latency_p50_ms", 120.0)


def test_an_indicator_that_no_healthy_day_has_says_nothing():
    strange = Shown([(60.0 * m, "new", "all", 1.0) for m in range(1, 61)], [])

    assert first_signal(strange, HEALTHY, ONSET) is None
