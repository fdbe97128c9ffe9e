"""Sizing the harm from a lake: what is claimed holds what is true, about as often as it says."""

from __future__ import annotations

import duckdb
import numpy as np

from sandbox.drill.observed import Rows
from sandbox.drill.queries import filled
from sandbox.drill.sizing import sized

BEGAN, ONSET, NOW = 1_772_000_000.0, 1_772_002_000.0, 1_772_004_000.0


def claims_of(seed: int, *, slower_ms: float, clicks_left: float, n: int = 2_000):
    """`impact` of n visits of one answer each, half of them before the onset: latencies 20 ms and an
    exponential of 10 more, one click in four answers."""
    rng = np.random.default_rng(seed)
    ts = np.linspace(BEGAN, NOW - 200, n)
    late = ts >= ONSET
    latency_ms = 20 + rng.exponential(10, n) + slower_ms * late
    clicked = rng.random(n) < 0.25 * np.where(late, clicks_left, 1.0)
    place = np.arange(n)
    con = duckdb.connect()
    con.execute("SET threads = 1")
    columns = {"ts": ts, "id": place, "latency_ms": latency_ms, "clicked": clicked.astype(int)}
    con.register("r", columns)
    con.execute("""CREATE TABLE requests AS SELECT make_timestamp((ts * 1e6)::BIGINT) AS ts, id AS request_id,
                   id AS session_id, latency_ms, 1 AS n_items FROM r""")
    con.execute("CREATE TABLE ic AS SELECT id AS request_id, clicked, 1 AS item_id FROM r")
    con.execute("CREATE TABLE items AS SELECT 1 AS item_id, 'A' AS creator_group")

    def observe(sql: str) -> Rows:
        found = con.execute(filled(sql, {"began": BEGAN, "now": NOW}))
        return Rows([c[0] for c in found.description], [list(row) for row in found.fetchall()])

    return sized(observe, ONSET)


def test_both_the_tail_and_the_clicks_are_sized():
    claims = claims_of(1, slower_ms=40.0, clicks_left=0.5)

    assert claims["p99_ms"]["low"] < 40.0 < claims["p99_ms"]["high"]
    assert claims["clicks"]["low"] < 125.0 < claims["clicks"]["high"]


def test_four_in_five_intervals_hold():
    made = [claims_of(seed, slower_ms=15.0, clicks_left=0.8, n=1_000) for seed in range(30)]

    for name, truth in (("p99_ms", 15.0), ("clicks", 25.0)):
        held = np.mean([claims[name]["low"] <= truth <= claims[name]["high"] for claims in made])
        assert abs(held - 0.8) < 5 * 0.073, name


def test_of_too_little_nothing_is_said():
    assert claims_of(3, slower_ms=40.0, clicks_left=0.5, n=150) == {}
