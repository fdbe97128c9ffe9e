"""A whole virtual run on the tiny world: the same every time, operable, and honest about what deviates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sandbox.base.config import Config, Edge, GatewayConfig, RedisConfig
from sandbox.base.errors import SandboxError
from sandbox.runtime.operate.actions import Action
from sandbox.telemetry.hash import lake_hash
from sandbox.telemetry.lake import connect
from sandbox.virtual.stack import VirtualStack

MINUTE = 60.0
EDGE = {"fault": "rpc-edge-latency", "params": {"delay_ms": 300}, "scope": {"callee": "features"}}


@pytest.fixture
def stack(home: Path, tmp_path: Path) -> VirtualStack:
    return VirtualStack("tiny", tmp_path / "run", seed=3, rate_per_s=20.0)


def played(run_dir: Path, seed: int = 3, telemetry: bool = True) -> VirtualStack:
    made = VirtualStack("tiny", run_dir, seed=seed, rate_per_s=20.0, telemetry=telemetry)
    made.advance(made.began_ts + 3 * MINUTE)
    made.arm("gateway", {"id": "f", **EDGE})
    made.advance(made.began_ts + 6 * MINUTE)
    made.disarm("gateway", "f")
    Action.parse(["disable-source", "source=fresh"]).run(made.operations, "operator")
    made.advance(made.began_ts + 9 * MINUTE)
    made.flush()
    return made


def test_one_seed_gives_the_same_bytes_and_another_does_not(home: Path, tmp_path: Path) -> None:
    first, again = played(tmp_path / "a"), played(tmp_path / "b")
    assert lake_hash(first.run.lake) == lake_hash(again.run.lake)
    other = played(tmp_path / "c", seed=4)
    assert lake_hash(first.run.lake).all != lake_hash(other.run.lake).all


def test_what_is_recorded_changes_nothing_that_happens(home: Path, tmp_path: Path) -> None:
    with_lake, without = (played(tmp_path / "a").ledger, played(tmp_path / "b", telemetry=False).ledger)
    for name in ("user", "clicks", "latency_ms", "revenue"):
        assert np.array_equal(getattr(with_lake.requests, name), getattr(without.requests, name))


def test_time_may_be_asked_for_in_any_pieces(home: Path, tmp_path: Path) -> None:
    whole = VirtualStack("tiny", tmp_path / "a", seed=3, telemetry=False)
    whole.advance(whole.began_ts + 3 * MINUTE)
    pieces = VirtualStack("tiny", tmp_path / "b", seed=3, telemetry=False)
    for seconds in (40.0, 41.0, 130.0, 180.0):
        pieces.advance(pieces.began_ts + seconds)
        assert len(pieces.ledger.requests.ts) > 0, "who looks has everybody react who has an answer"
    assert whole.now() == pieces.now()
    for name in ("ts", "user", "clicks", "latency_ms"):
        assert np.array_equal(getattr(whole.ledger.requests, name), getattr(pieces.ledger.requests, name))


def test_a_late_stage_is_answered_by_its_stand_in_and_recovers(stack: VirtualStack) -> None:
    stack.advance(stack.began_ts + 3 * MINUTE)
    stack.arm("gateway", {"id": "f", **EDGE})
    began = stack.now()
    stack.advance(began + 3 * MINUTE)
    stack.disarm("gateway", "f")
    ended = stack.now()
    stack.advance(ended + 3 * MINUTE)
    requests = stack.ledger.requests
    during = (requests.ts >= began) & (requests.ts < ended)
    after = requests.ts >= ended + MINUTE
    assert requests.degraded[during].mean() > 0.5
    assert not requests.degraded[after].any()
    stack.flush()
    with connect(stack.run.lake) as lake:
        fallbacks = lake.execute("SELECT DISTINCT fallback FROM requests").fetchall()
    assert {("none",), ("features",)} <= set(fallbacks)


def test_open_to_late_rules_the_ranked_items_go_out_and_nobody_calls_it_degraded(home: Path, tmp_path: Path) -> None:
    config = Config(gateway=GatewayConfig(rules_fail="open", rules=Edge(deadline_ms=100)))
    stack = VirtualStack("tiny", tmp_path / "run", seed=3, rate_per_s=20.0, config=config)
    stack.advance(stack.began_ts + 4 * MINUTE)
    late = {"fault": "rpc-edge-latency", "params": {"delay_ms": 300}, "scope": {"callee": "rules"}}
    stack.arm("gateway", {"id": "f", **late})
    stack.advance(stack.began_ts + 8 * MINUTE)
    stack.flush()
    with connect(stack.run.lake) as lake:
        ruled, unruled, degraded = lake.execute("""
            SELECT count(rules_version), count(*) FILTER (rules_version IS NULL), count(*) FILTER (degraded)
            FROM requests WHERE grpc_status = 'OK'""").fetchone()
        in_order, n = lake.execute("""
            SELECT avg((model_rank = position)::INT), count(*) FROM impressions JOIN requests USING (request_id)
            WHERE rules_version IS NULL""").fetchone()
    assert min(ruled, unruled) > 20
    assert n == 10 * unruled
    assert (degraded, in_order) == (0, 1.0)


def test_programs_crowd_the_counters_and_not_the_ledger_and_a_limit_turns_them_away(home: Path, tmp_path: Path) -> None:
    bots = {"fault": "bot-scrape-burst", "params": {"requests_share": 1.0, "users": 3, "pages": 40, "clicks": "random"}}
    usual, crowded = (VirtualStack("tiny", tmp_path / name, seed=3, rate_per_s=10.0) for name in ("usual", "crowded"))
    crowded.arm("load", {"id": "f", **bots})
    for stack in (usual, crowded):
        stack.advance(stack.began_ts + 10 * MINUTE)
    half = crowded.now()
    Action.parse(["limit", "per_minute=10"]).run(crowded.operations, "operator")
    crowded.advance(half + 10 * MINUTE)
    crowded.flush()
    with connect(crowded.run.lake) as lake:
        most, users = lake.execute("""
            SELECT max(n), count(*) FILTER (n > 60) FROM (SELECT count(*) AS n FROM requests WHERE ts < ? GROUP BY user_id)
            """, [datetime.fromtimestamp(half, UTC).replace(tzinfo=None)]).fetchone()  # fmt: skip
        refused, of = lake.execute("""
            SELECT count(*), count(DISTINCT user_id) FROM requests WHERE grpc_status = 'RESOURCE_EXHAUSTED'
            """).fetchone()  # fmt: skip
        errors = lake.execute("SELECT max(value) FROM metrics WHERE name = 'error_share'").fetchone()[0]
    assert most > 60
    assert users <= 3
    assert refused > 30
    assert of <= 3
    assert errors == 0
    n = len(usual.ledger.requests.user)
    before = crowded.ledger.requests.ts < half
    assert abs(int(before.sum()) - n) < 0.1 * n  # people, no programs; they come with their own luck


def test_a_load_test_is_marked_in_the_lake_and_counts_for_nobody_in_the_ledger(home: Path, tmp_path: Path) -> None:
    tested, again = (VirtualStack("tiny", tmp_path / name, seed=3, rate_per_s=5.0) for name in ("tested", "again"))
    for stack in (tested, again):
        stack.advance(stack.began_ts + 2 * MINUTE)
        begun = stack.now()
        Action.parse(["load-test", "rate=20", "minutes=4"]).run(stack.operations, "operator")
        stack.advance(stack.began_ts + 5 * MINUTE)
        Action.parse(["load-test", "rate=off"]).run(stack.operations, "operator")
        stack.advance(stack.began_ts + 8 * MINUTE)
        stack.flush()
    assert lake_hash(tested.run.lake) == lake_hash(again.run.lake)
    with connect(tested.run.lake) as lake:
        kinds = dict(lake.execute("SELECT user_class, count(*) FROM locust GROUP BY 1").fetchall())
        first, last, answered = lake.execute("""
            SELECT epoch(min(l.ts)), epoch(max(l.ts)), count(r.request_id) FROM locust l
            LEFT JOIN requests r USING (request_id) WHERE user_class = 'LoadTest'""").fetchone()
        told = lake.execute("SELECT new FROM changes WHERE target = 'load' ORDER BY ts").fetchall()
    assert 35 < kinds["LoadTest"] < 90, "3 minutes of 20 a second"
    assert answered == kinds["LoadTest"], "each is a request like any"
    assert begun <= first
    assert last < begun + 3 * MINUTE + 20
    assert told == [("20 a second for 4 minutes",), ("off",)]
    assert len(tested.ledger.requests.ts) == kinds["SlateUser"]


@pytest.mark.parametrize(
    ("words", "argument"),
    [
        ("rate=0", "rate"), ("rate=1000", "rate"), ("rate=much", "rate"), ("rate=5 minutes=0", "minutes"),
        ("rate=5 minutes=600", "minutes"), ("rate=off minutes=5", "minutes"),
    ],
)  # fmt: skip
def test_a_load_test_that_cannot_be_is_refused_before_anything_is_sent(stack: VirtualStack, words, argument) -> None:
    with pytest.raises(SandboxError, match=f"act load-test, {argument}"):
        Action.parse(["load-test", *words.split()]).preview(stack.operations)


def test_the_preview_of_a_load_test_says_whom_it_touches_and_how_to_end_it(stack: VirtualStack) -> None:
    told = Action.parse(["load-test", "rate=20"]).preview(stack.operations).told()

    assert "20 requests a second (wall) on top of the users' for 5 world minutes" in told
    assert "gateway" in told
    assert "100% of requests" in told
    assert "rate=off ends it" in told


def test_the_tables_fit_together(stack: VirtualStack) -> None:
    stack.advance(stack.began_ts + 5 * MINUTE)
    stack.flush()
    with connect(stack.run.lake) as lake:
        ask = lambda sql: lake.execute(sql).fetchone()  # noqa: E731
        (orphans,) = ask("SELECT count(*) FROM impressions ANTI JOIN requests USING (request_id)")
        (roots,) = ask("SELECT count(*) FROM spans WHERE op = 'Recommend' AND parent_id IS NULL")
        (loose,) = ask(
            "SELECT count(*) FROM spans c WHERE kind = 'server' AND parent_id IS NOT NULL"
            " AND parent_id NOT IN (SELECT span_id FROM spans WHERE kind = 'client')"
        )
        (answered,) = ask("SELECT count(*) FROM requests")
        (clicks,) = ask("SELECT count(*) FROM outcomes WHERE kind = 'click'")
    ledger = stack.ledger.requests
    assert orphans == 0
    assert loose <= 20  # of calls that had not ended when the run did
    assert 0 <= roots - answered <= 2
    assert abs(answered - len(ledger.ts)) <= 5
    assert abs(clicks - ledger.clicks.sum()) <= 5


def test_a_process_can_be_restarted_and_redis_loses_its_rows(stack: VirtualStack) -> None:
    stack.advance(stack.began_ts + 2 * MINUTE)
    Action.parse(["restart", "service=redis"]).run(stack.operations, "operator")
    assert stack.store.n_keys == 0
    stack.advance(stack.now() + MINUTE)
    assert stack.ledger.requests.degraded.any()
    stack.advance(stack.now() + 3 * MINUTE)
    assert stack.store.n_keys > 0
    late = stack.ledger.requests
    assert not late.degraded[late.ts > stack.now() - MINUTE].any()


def test_a_store_that_refuses_writes_is_noted_and_readers_go_on(home: Path, tmp_path: Path) -> None:
    stack = VirtualStack("tiny", tmp_path / "run", seed=3, rate_per_s=2.0)
    stack.advance(stack.began_ts + 2 * MINUTE)
    stack.store.configure(RedisConfig().model_copy(update={"maxmemory_mb": 1 / 2**20}))
    done = len(stack.stream.entries)
    stack.advance(stack.began_ts + 62 * MINUTE)
    held = (len(stack.stream.entries), stack.stream.done)
    stack.store.configure(RedisConfig())
    stack.advance(stack.began_ts + 64 * MINUTE)
    stack.flush()

    assert held[0] == done, "no event is taken in"
    assert stack.stream.done > done, "and then they are again"
    with connect(stack.run.lake) as lake:
        runs = lake.execute("select distinct status from materialization_runs where view = 'user_profile'").fetchall()
        told = lake.execute(
            "select count(*) from logs where service = 'materialiser' and msg = 'feature write failed'"
        ).fetchall()
        refused = lake.execute(
            "select count(*) from spans where service = 'gateway' and peer = 'events' and status = 'RESOURCE_EXHAUSTED'"
        ).fetchall()
        read = lake.execute(
            "select count(*) from feature_reads where n_missing < n_rows and ts > make_timestamp(cast((?) * 1e6 as bigint))",
            [stack.began_ts + 30 * MINUTE],
        ).fetchall()
    assert {row[0] for row in runs} == {"OK", "STORE-004"}
    assert told[0][0] == 1
    assert refused[0][0] > 50
    assert read[0][0] > 50


def test_arming_in_a_process_that_there_is_not_is_refused(stack: VirtualStack) -> None:
    with pytest.raises(SandboxError) as refusal:
        stack.arm("gatekeeper", {"id": "f", **EDGE})
    assert refusal.value.kind.code == "RUN-007"
    with pytest.raises(SandboxError) as refusal:
        stack.arm("features", {"id": "f", **EDGE})
    assert refusal.value.kind.code == "FLT-003"


def test_one_users_changed_taste_shifts_nobody_elses_luck(home: Path, tmp_path: Path) -> None:
    usual = VirtualStack("tiny", tmp_path / "a", seed=3, telemetry=False)
    usual.advance(usual.began_ts + 5 * MINUTE)
    changed = VirtualStack("tiny", tmp_path / "b", seed=3, telemetry=False)
    whose = int(usual.ledger.requests.user[0])
    changed.behaviour.latent.user_bias[whose] += 6.0  # clicks on nearly everything
    changed.advance(changed.began_ts + 5 * MINUTE)
    a, b = usual.ledger.requests, changed.ledger.requests
    assert b.clicks[b.user == whose].sum() > a.clicks[a.user == whose].sum()
    others_a, others_b = a.user != whose, b.user != whose
    for name in ("user", "session", "depth", "clicks", "revenue", "n_items"):
        assert np.array_equal(getattr(a, name)[others_a], getattr(b, name)[others_b]), name
