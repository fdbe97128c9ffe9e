"""Sizing the harm from a lake: what is claimed holds what is true, about as often as it says."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from sandbox.drill.responders.observed import Rows
from sandbox.drill.responders.sizing import WITHIN_AN_HOUR, sized
from sandbox.drill.scenario.queries import filled

BEGAN, ONSET, NOW = 1_772_000_000.0, 1_772_006_000.0, 1_772_012_000.0
PRICE, CLICK, CONVERTS = 4.0, 0.25, 0.2  # of a click, sooner or later


def claims_of(
    seed: int, *, slower_ms: float = 0.0, clicks_left: float = 1.0, price_left: float = 1.0,
    forbidden: int = 0, n: int = 2_000, segments=(),
):  # fmt: skip
    """`impact` of n visits of one answer each, half of them before the onset: latencies 20 ms and an
    exponential of 10 more, one click in four answers, one conversion in five clicks."""
    rng = np.random.default_rng(seed)
    ts = np.linspace(BEGAN, NOW - 200, n)
    late = ts >= ONSET
    latency_ms = 20 + rng.exponential(10, n) + slower_ms * late
    clicked = rng.random(n) < CLICK * np.where(late, clicks_left, 1.0)
    soon = clicked & (rng.random(n) < CONVERTS * WITHIN_AN_HOUR)
    con = duckdb.connect()
    con.execute("SET threads = 1")
    con.register("r", {
        "ts": ts, "id": np.arange(n), "ms": latency_ms, "clicked": clicked.astype(int),
        "soon": soon, "late": late.astype(int), "forbidden": np.arange(n) >= n - forbidden,
    })  # fmt: skip
    con.execute(f"""
        CREATE TABLE v AS SELECT make_timestamp((ts * 1e6)::BIGINT) AS asked, * FROM r;
        CREATE TABLE requests AS
            SELECT asked AS ts, id AS request_id, id AS session_id, ms AS latency_ms, 1 AS n_items,
                0 AS user_id, '' AS encoder_version, NULL::DOUBLE AS feature_age_s, NULL::DOUBLE AS session_age_s FROM v;
        CREATE TABLE consent_ledger AS SELECT 0 AS user_id, 'personalisation' AS purpose, 'denied' AS state,
            make_timestamp(0) AS effective_ts, 'GDPR' AS jurisdiction, 'ui' AS signal;
        CREATE TABLE ic AS SELECT id AS request_id, clicked, late AS item_id FROM v;
        CREATE TABLE impressions AS
            SELECT asked AS ts, id AS request_id, 0 AS user_id, if(forbidden, 2, late) AS item_id FROM v;
        CREATE TABLE users AS SELECT 0 AS user_id, 'EU' AS home_region, '25-34' AS age_band;
        CREATE TABLE items AS SELECT 0 AS item_id, 'A' AS creator_group, 'none' AS sensitivity, {PRICE} AS price,
            0.1 AS sens_score, 0 AS age_rating, 'EU,US' AS regions
            UNION ALL SELECT 1, 'A', 'none', {PRICE * price_left}, 0.1, 18, 'EU'
            UNION ALL SELECT 2, 'A', 'gore', 0, 0.1, 0, 'EU';
        CREATE TABLE outcomes AS
            SELECT id AS request_id, late AS item_id, 'click' AS kind, asked AS event_ts FROM v WHERE clicked = 1
            UNION ALL SELECT id, late, 'conversion', asked + INTERVAL 20 MINUTE FROM v WHERE soon""")

    def observe(sql: str) -> Rows:
        found = con.execute(filled(sql, {"began": BEGAN, "now": NOW}))
        return Rows([c[0] for c in found.description], [list(row) for row in found.fetchall()])

    return sized(observe, ONSET, segments)


def test_both_the_tail_and_the_clicks_are_sized_and_no_more():
    claims = claims_of(1, slower_ms=40.0, clicks_left=0.5)

    assert claims["p99_ms"]["low"] < 40.0 < claims["p99_ms"]["high"]
    assert claims["clicks"]["low"] < 125.0 < claims["clicks"]["high"]
    assert set(claims) == {"clicks", "p99_ms"}


def test_what_a_busier_hour_does_is_not_called_slow():
    assert "p99_ms" not in claims_of(4, slower_ms=5.0)


def test_what_is_shown_cheaper_is_sized_as_revenue_in_the_end():
    claim = claims_of(2, price_left=0.25)["revenue"]

    lost = 1_000 * CLICK * CONVERTS * 0.75 * PRICE
    assert 0 < claim["low"] < lost < claim["high"]


def test_what_nobody_should_see_is_counted():
    claim = claims_of(5, forbidden=12)["policy_breaches"]

    assert claim["low"] < claim["estimate"] == 12 < claim["high"]
    assert "policy_breaches" not in claims_of(5, forbidden=2)


@pytest.mark.parametrize(
    ("segment", "points"),
    [
        ({"age_rating": "0"}, 100.0), ({"age_rating": ["0", "18"], "creator_group": "A"}, None),
        ({"region": "EU"}, None), ({}, None),
    ],
)  # fmt: skip
def test_what_a_slice_of_the_catalogue_lost_is_sized_where_it_is_one(segment, points):
    claims = claims_of(6, segments=[segment])

    assert claims.get("segment_exposure", {}).get("estimate") == points


@pytest.mark.slow
def test_four_in_five_intervals_hold():
    made = [claims_of(seed, slower_ms=60.0, clicks_left=0.8, n=1_000) for seed in range(30)]

    for name, truth in (("p99_ms", 60.0), ("clicks", 25.0)):
        held = np.mean([claims[name]["low"] <= truth <= claims[name]["high"] for claims in made])
        assert abs(held - 0.8) < 5 * 0.073, name


def test_of_too_little_nothing_is_said():
    assert claims_of(3, slower_ms=40.0, clicks_left=0.5, n=150) == {}
