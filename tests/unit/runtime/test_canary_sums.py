"""What a guard judges is what the lake holds of the users of two arms, and of nobody else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.base.arms import arm_of, lot_of
from sandbox.base.config import Canary
from sandbox.base.schema import TABLES
from sandbox.runtime.operate.canary_sums import METRICS, sums
from sandbox.telemetry.lake import Lake
from sandbox.telemetry.segments import SegmentStore

CANARY = Canary(version="rk-2", share=0.3, salt="s", until_ts=0.0)
USERS = {arm: [u for u in range(200) if arm_of(u, CANARY) == arm] for arm in ("canary", "baseline", "rest")}


def row(table: str, **values: object) -> list[object]:
    return [values.get(name) for name in TABLES[table].names]


def request(n: int, user: int, ts: float = 100.0, **more: object) -> list[object]:
    told = {"grpc_status": "OK", "fallback": "none", "latency_ms": 10.0, "model_version": "rk-1", **more}
    return row("requests", ts=ts, request_id=f"r{n}", user_id=user, **told)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    store = SegmentStore(tmp_path, lambda: 0.0)
    c, b, r = (USERS[arm][:2] for arm in ("canary", "baseline", "rest"))
    store.add("requests", [
        request(1, c[0], latency_ms=30.0), request(2, c[0], grpc_status="UNAVAILABLE", model_version=None),
        request(3, c[0], grpc_status="UNAVAILABLE", model_version=None),
        request(4, c[1], fallback="features+ranking", model_version=None),
        request(5, b[0]), request(6, r[0], grpc_status="INTERNAL"), request(7, -1), request(8, b[1], ts=10.0),
    ])  # fmt: skip
    store.add("impressions", [row("impressions", ts=100.0, request_id="r1", user_id=c[0], item_id=i) for i in range(4)])
    store.add("outcomes", [row("outcomes", request_id="r1", user_id=c[0], item_id=1, kind="click", event_id="e")])
    store.flush()
    return Lake(tmp_path)


def test_users_are_counted_by_the_arm_that_the_hash_gives_them_since_the_canary_began(lake: Lake) -> None:
    baseline, canary, users = sums(lake, CANARY, since_ts=50.0)

    assert users == (1, 2)
    assert set(canary) == {metric.name for metric in METRICS}
    assert (canary["errors"].y, canary["errors"].x) == (1, 2)  # a user who met two errors is one user
    assert (canary["fallbacks"].y, canary["fallbacks"].x) == (1, 2)
    assert (canary["latency_ms"].y, canary["latency_ms"].x) == (60, 4)
    assert (canary["clicks"].y, canary["clicks"].x, canary["clicks"].units) == (1, 4, 1)
    assert (baseline["errors"].y, baseline["errors"].x, baseline["clicks"].x) == (0, 1, 0)


def test_an_empty_lake_is_no_data_and_no_error(tmp_path: Path) -> None:
    baseline, canary, users = sums(Lake(tmp_path / "none"), CANARY, since_ts=0.0)

    assert users == (0, 0)
    assert [sample.x for sample in (*baseline.values(), *canary.values())] == [0] * 8


def test_arms_are_of_one_size_and_another_salt_chooses_other_users() -> None:
    """20,000 users: a share within 5 standard errors, and users of two salts have nothing to do with each other."""
    lots = np.array([[lot_of(user, salt) for user in range(20_000)] for salt in ("one", "two")])
    tenth = (lots < 0.1).mean(axis=1)

    assert np.abs(tenth - 0.1).max() < 5 * (0.1 * 0.9 / 20_000) ** 0.5
    assert abs(np.corrcoef(lots)[0, 1]) < 5 / 20_000**0.5
    assert abs(len(USERS["canary"]) - len(USERS["baseline"])) < 5 * (200 * 0.6) ** 0.5
    assert arm_of(-1, CANARY) == "rest"
