"""Indicators: what the rows of a few minutes add up to, by numbers a reader can check."""

import numpy as np
import pytest

from sandbox.base.indicators import INDICATORS
from sandbox.telemetry.indicators import Indicators
from sandbox.telemetry.settings import AlertSettings, IndicatorSettings
from tests.unit.telemetry.toy import START, request, row


def made(**more) -> Indicators:
    return Indicators(IndicatorSettings(), AlertSettings(), **more)


def metrics(indicators: Indicators, ts: float, wall_s: float = 1.0) -> dict:
    _, rows = indicators.tick(ts, wall_s)
    assert all(r[0] == ts and r[1] in INDICATORS for r in rows)
    return {(name, label): value for _, name, label, value in rows}


def shown(request_id: str, *items: int) -> list:
    return [row("impressions", ts=START, request_id=request_id, item_id=item) for item in items]


def did(request_id: str, item: int, kind: str, value: float = 1.0) -> list:
    return row("outcomes", event_ts=START, request_id=request_id, item_id=item, kind=kind, value=value)


def test_rates_are_shares_of_their_own_whole():
    indicators = made()
    indicators.observe("requests", [
        request(1), request(2, degraded=True, n_items=4), request(3, n_items=0, region="US"),
        request(4, grpc_status="UNAVAILABLE", n_items=0, latency_ms=400.0),
    ])  # fmt: skip
    indicators.observe("impressions", shown("req-0001", *range(10)) + shown("req-0002", *range(4)))
    indicators.observe("outcomes", [
        did("req-0001", 1, "click"), did("req-0001", 1, "dwell", 40.0), did("req-0002", 2, "click"),
        did("req-0002", 2, "dwell", 5.0), did("req-0002", 2, "conversion", 9.9), did("req-0001", 3, "hide"),
    ])  # fmt: skip

    seen = metrics(indicators, START + 60, wall_s=2.0)

    assert seen["request_rate", "all"] == 2.0
    assert seen["error_share", "all"] == 1 / 4
    assert seen["degraded_share", "all"] == 1 / 4
    assert seen["empty_share", "all"] == 1 / 3  # of the three answers
    assert seen["short_share", "all"] == 1 / 3
    assert seen["ctr", "all"] == 2 / 14
    assert seen["ctr", "region=EU"] == 2 / 14
    assert ("ctr", "region=US") not in seen  # nothing was shown there
    assert seen["hide_rate", "all"] == 1 / 14
    assert seen["long_dwell_rate", "all"] == 1 / 2
    assert seen["conversion_rate", "all"] == 1 / 2
    assert seen["latency_p50_ms", "all"] == 20.0


def test_without_traffic_there_is_a_request_rate_of_zero_and_nothing_else():
    assert metrics(made(), START) == {("request_rate", "all"): 0.0}


def test_a_minute_counts_for_its_window_and_no_longer():
    indicators = made()
    indicators.observe("requests", [request(1, grpc_status="INTERNAL")])

    seen = [metrics(indicators, START + 60 * n).get(("error_share", "all")) for n in range(1, 8)]

    assert seen == [1.0] * 5 + [None] * 2


def test_ages_are_told_by_view_and_the_session_row_only_in_the_middle_of_a_visit():
    indicators = made()
    indicators.observe(
        "feature_reads",
        [
            row("feature_reads", view="item_stats", age_p50_s=100.0),
            row("feature_reads", view="item_stats", age_p50_s=300.0),
            row("feature_reads", view="user_profile", age_p50_s=None),
        ],
    )
    indicators.observe("requests", [
        request(1, depth=1, session_age_s=90_000.0), request(2, depth=2, session_age_s=60.0),
        request(3, depth=3, session_age_s=1_000.0),
    ])  # fmt: skip

    tick, rows = indicators.tick(START + 60, 1.0)
    seen = {(name, label): value for _, name, label, value in rows}

    assert seen["feature_age_s", "item_stats"] == 200.0
    assert ("feature_age_s", "user_profile") not in seen
    assert seen["session_age_s", "all"] == 530.0
    assert tick.counts["age:user_session"] == (1.0, 2.0)  # one of two above 300 s


def test_coverage_and_exposure_follow_what_was_shown_in_the_last_half_hour():
    indicators = made(n_items=20, in_group_b=np.arange(20) >= 15)
    indicators.observe("impressions", shown("r", 1, 2, 2, 16))
    first = metrics(indicators, START + 60)
    indicators.observe("impressions", shown("r", 17))
    later = metrics(indicators, START + 60 + 1_800)

    assert first["coverage", "all"] == 3 / 20
    assert first["exposure_share", "creator_group=B"] == 1 / 4
    assert later["coverage", "all"] == 1 / 20
    assert later["exposure_share", "creator_group=B"] == 1.0


def test_what_is_kept_up_of_the_shown_items_is_what_a_count_of_the_window_gives():
    rng, of_b = np.random.default_rng(5), np.arange(40) >= 30
    indicators, window = made(n_items=50, in_group_b=of_b), IndicatorSettings().coverage_s
    minutes: list[tuple[float, list[int]]] = []
    ts = START
    for _ in range(120):
        ts += float(rng.choice([60.0, 60.0, 60.0, 400.0]))
        minutes.append((ts, rng.integers(0, 50, rng.integers(0, 6)).tolist()))
        indicators.observe("impressions", shown("r", *minutes[-1][1]))
        seen = metrics(indicators, ts)

        items = [item for at, those in minutes if at > ts - window for item in those]
        known = [item for item in items if item < len(of_b)]
        expected = (len(set(items)) / 50 or None, np.mean(of_b[known]) if known else None)
        assert (seen.get(("coverage", "all")), seen.get(("exposure_share", "creator_group=B"))) == expected


def test_rows_with_values_of_other_types_are_not_counted_and_stop_nothing():
    indicators = made()

    indicators.observe("requests", [request(1, latency_ms="fast"), request(2)])
    indicators.observe("impressions", [row("impressions", item_id=of) for of in ([1], None, "1")])
    indicators.observe("outcomes", [did("r", 1, "dwell", None)])

    assert metrics(indicators, START + 60)["latency_p50_ms", "all"] == 20.0


def test_the_memory_of_requests_is_bounded():
    settings = IndicatorSettings(requests_remembered=100)
    indicators = Indicators(settings, AlertSettings())

    indicators.observe("requests", [request(n) for n in range(1_000)])

    assert len(indicators._regions) == 100


@pytest.mark.parametrize("table", ["spans", "logs", "nosuch"])
def test_tables_that_say_nothing_about_service_are_passed_over(table):
    indicators = made()
    indicators.observe(table, [[1, 2, 3]])

    assert metrics(indicators, START) == {("request_rate", "all"): 0.0}
