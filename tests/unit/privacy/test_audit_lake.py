"""The audit of a run's lake: who was served by what is known of them, from where, and when."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.catalogue import JURISDICTIONS
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo
from sandbox.base.schema import TABLES
from sandbox.privacy import audit
from sandbox.telemetry.lake import connect
from sandbox.telemetry.segments import SegmentStore
from tests.unit.privacy import mini
from tests.unit.privacy.mini import NOW

N = 14
HOUR_S = 3_600.0
KINDS = ("served-without-consent", "processed-after-withdrawal", "wrong-jurisdiction", "minor-profiled-for-ads")


def request(user: int, region: str, known: bool) -> tuple:
    """A row of requests, with what matters here; the rest is empty."""
    told = {
        "ts": NOW + HOUR_S, "request_id": f"r{user}", "user_id": user, "region": region, "grpc_status": "OK",
        "model_version": "rk-1", "encoder_version": "tt-1" if known else "", "feature_age_s": 60.0 if known else None,
    }  # fmt: skip
    return row_of.requests(**{name: told.get(name) for name in TABLES["requests"].names})


def planted(folder: Path, plan: dict[int, str]) -> Path:
    """A run in which every second user said no to personalisation ten hours ago and is served as a stranger."""
    world = mini.world(folder / "w", mini.people(N), mini.yes(N), [])
    run_dir = folder / "r"
    run_dir.mkdir()
    run = RunInfo(
        run_dir=str(run_dir), world="w", world_dir=str(world), world_start=NOW, wall_start=0.0, speed=60.0, seed=1, redis="",
        addresses={}, metrics={},
    )  # fmt: skip
    (run_dir / "run.json").write_text(json.dumps(asdict(run)))
    store = SegmentStore(run_dir / "lake", lambda: 0.0)
    for person in mini.people(N):
        user, region, wronged = person["user_id"], person["region"], plan.get(person["user_id"])
        law, minor = JURISDICTIONS[region], wronged == "minor-profiled-for-ads"
        denied = user % 2 == 0 or wronged in KINDS[:2]
        store.add("users", [row_of.users(
            user_id=user, home_region=region, jurisdiction=law, lang="en", age_band="13-17" if minor else "25-34",
            gender="unknown", segment="light", main_topic=None, created_ts=NOW - 1e7,
        )])  # fmt: skip
        said = [("personalisation", "granted", NOW - 1e6), ("ads_profiling", "granted", NOW - 1e6)]
        said += [("personalisation", "denied", NOW - 9 * HOUR_S)] if denied else []
        store.add("consent_ledger", [
            row_of.consent_ledger(user_id=user, purpose=p, state=s, effective_ts=ts, jurisdiction=law, signal="ui")
            for p, s, ts in said
        ])  # fmt: skip
        tag = ("US" if region != "US" else "EU") if wronged == "wrong-jurisdiction" else region
        store.add("requests", [request(user, tag, not denied or wronged == "served-without-consent")])
        if not denied or wronged == "processed-after-withdrawal":
            store.add("served_features", [row_of.served_features(
                ts=NOW + HOUR_S, request_id=f"r{user}", entity="user", entity_id=str(user), view="user_profile",
                feature="ctr_28d", value=0.1, feature_event_ts=NOW, status="PRESENT", writer_run="1",
            )])  # fmt: skip
    store.flush()
    return run_dir


def found_in(run_dir: Path) -> list[audit.Breach]:
    with closing(connect(run_dir / "lake")) as lake:
        return audit.of_run(run_dir, lake, now=NOW)


def test_a_run_that_served_everybody_as_they_wished_has_no_breach(tmp_path):
    assert found_in(planted(tmp_path, {})) == []


@settings(max_examples=6, deadline=None)
@given(st.dictionaries(st.integers(0, N - 1), st.sampled_from(KINDS)))
def test_what_was_planted_in_a_run_is_what_is_found(plan):
    plan = {u: kind for u, kind in plan.items() if kind != KINDS[3] or mini.REGIONS[u % len(mini.REGIONS)] == "EU"}
    with tempfile.TemporaryDirectory() as folder:
        found = found_in(planted(Path(folder), plan))
        people = {kind: sum(b.people for b in found if b.rule == kind) for kind in {b.rule for b in found}}
        assert people == {kind: sum(k == kind for k in plan.values()) for kind in set(plan.values())}


def test_hours_tell_a_filter_that_lags_from_one_that_is_open(tmp_path):
    (breach,) = found_in(planted(tmp_path, {1: "served-without-consent"}))
    assert (breach.law, breach.oldest_hours, breach.models, breach.rows) == ("UK GDPR", 10.0, ("rk-1",), 1)
