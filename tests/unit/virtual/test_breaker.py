"""What a circuit breaker does for a virtual stack: load falls off a callee that cannot bear it, requests stop
waiting for it, and a brown-out that would feed on itself ends."""

from __future__ import annotations

import json
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.base.config import Breaker, Config, Edge
from sandbox.base.errors import SandboxError
from sandbox.runtime.operate.actions import EDGES, Action
from sandbox.runtime.operate.operations import Record
from sandbox.telemetry.hash import lake_hash
from sandbox.telemetry.lake import connect
from sandbox.virtual.machine import timing as timings
from sandbox.virtual.machine.fabric import CallError, Context, Dice, Fabric
from sandbox.virtual.machine.loop import Loop, World
from sandbox.virtual.machine.timing import Timing, Work
from sandbox.virtual.stack import VirtualStack

STILL: Dice = repeat((0.0, 1.0))  # no noise, no tails
PROMPT = Breaker(failed_share=0.5, least_calls=20, window_s=2, open_s=2, trial_calls=3)
MINUTE = 60.0


class Bench:
    """One edge, and a callee that does one call at a time."""

    def __init__(self, edge: Edge) -> None:
        plain = Work(base_ms=1.0, sigma=0.0)
        timing = Timing(work={}, wire={"gateway->features": plain}, store=plain, client_share=0.0, cores=8)
        self.loop, self.edge, self.work_s = Loop(), edge, 0.010
        self.rows: list[tuple[str, str, tuple[Any, ...]]] = []
        self.fabric = Fabric(
            ("gateway", "features"), self.loop, World(self.loop, 0.0, 60.0), timing, lambda *row: self.rows.append(row)
        )
        self.ended: list[tuple[float, float, str]] = []  # began, took (s), how

    async def _handler(self, inner: Context) -> None:
        await self.fabric.burst(self.fabric.processes["features"], self.work_s)

    async def _call(self) -> None:
        began, status = self.loop.now, "OK"
        context = Context("t", "s", None, "gateway", 1, 1, 1, 0, False, float("inf"), STILL)
        try:
            await self.fabric.call("gateway", "features", "GetUser", self.edge, context, self._handler)
        except CallError as failure:
            status = failure.code
        self.ended.append((began, self.loop.now - began, status))

    def ask(self, until: float, per_s: float) -> None:
        """Calls at that rate until then, wall seconds."""
        for n in range(round((until - self.loop.now) * per_s)):
            self.loop.at(self.loop.now + n / per_s, lambda: self.loop.spawn(self._call()))
        self.loop.run_until(until)

    def failed(self, since: float) -> list[float]:
        return [began for began, _, status in self.ended if status != "OK" and began >= since]

    def logged(self) -> list[str]:
        return [row[4] for _, table, row in self.rows if table == "logs"]

    def served(self) -> int:
        return sum(table == "spans" and row[7] == "server" for _, table, row in self.rows)


def brown_out(breaker: Breaker | None) -> Bench:
    """A callee that bears 100 calls a second gets 90 of them; for two seconds it needs three times as long
    for each, and bears 33."""
    bench = Bench(Edge(deadline_ms=50, breaker=breaker))
    bench.ask(2.0, 90)
    bench.work_s = 0.030
    bench.ask(4.0, 90)
    bench.work_s = 0.010
    bench.ask(60.0, 90)
    return bench


def test_a_brown_out_that_feeds_on_itself_ends_sooner_with_a_breaker() -> None:
    """Of 64 handlers each has a call that nobody waits for by the time it is worked for: those hold up the
    calls behind them, which are late in turn, long after the callee is as quick as ever."""
    without, with_ = brown_out(None), brown_out(PROMPT)

    assert max(without.failed(since=4.0)) > 11.0  # eight seconds after the cause was gone
    assert max(with_.failed(since=4.0)) < 6.0
    assert len(with_.failed(since=4.0)) < len(without.failed(since=4.0)) / 5
    assert with_.served() < without.served()
    assert with_.logged() == ["circuit breaker opened", "circuit breaker half-open", "circuit breaker closed"]


def test_calls_stop_waiting_for_a_callee_beyond_its_deadline() -> None:
    benches = {}
    for name, breaker in (("without", None), ("with", PROMPT)):
        bench = benches[name] = Bench(Edge(deadline_ms=50, breaker=breaker))
        bench.work_s = 0.100
        bench.ask(20.0, 200)
    took = {name: [took for _, took, _ in b.ended] for name, b in benches.items()}

    assert np.percentile(took["without"], 1) == pytest.approx(0.05)
    assert np.percentile(took["with"], 98) == 0.0
    assert benches["with"].served() < benches["without"].served() / 20


def test_a_retry_storm_is_cut_short() -> None:
    """Fifty calls a second, of five attempts each, for a callee that is down for ten seconds."""
    tries, back = {}, {}
    for name, breaker in (("without", None), ("with", PROMPT)):
        bench = Bench(Edge(deadline_ms=2_000, attempts=5, breaker=breaker))
        bench.fabric.processes["features"].down_until = 10.0
        bench.ask(20.0, 50)
        sent = [row for _, table, row in bench.rows if table == "spans" and row[7] == "client"]
        tries[name] = sum(row[0] < 10.0 * 60 and row[9] > 0 for row in sent)
        back[name] = max(bench.failed(since=0.0))

    assert tries["without"] == 2_500
    assert tries["with"] < 50
    assert back["with"] < 10.0 + PROMPT.open_s  # no longer than until the next trial


def test_a_process_that_starts_again_has_closed_breakers() -> None:
    bench = Bench(Edge(deadline_ms=50, breaker=PROMPT.model_copy(update={"open_s": 600})))
    bench.work_s = 0.100
    bench.ask(1.0, 50)
    bench.work_s = 0.010
    bench.ask(11.0, 1)
    assert len(bench.failed(since=2.0)) == 9

    bench.fabric.forget_calls("features")
    bench.ask(12.0, 1)
    bench.fabric.forget_calls("gateway")
    bench.ask(22.0, 1)
    assert len(bench.failed(since=11.0)) == 1


def test_a_breaker_that_stays_closed_changes_nothing(home: Path, tmp_path: Path) -> None:
    config = Config()
    for document, callee in ((getattr(config, c), e) for c, es in EDGES.items() for e in es):
        edge = getattr(document, callee)
        setattr(document, callee, edge.model_copy(update={"breaker": Breaker()}))
    hashes = []
    for name, configured in (("without", Config()), ("with", config)):
        made = VirtualStack("tiny", tmp_path / name, seed=3, config=configured)
        made.advance(made.began_ts + 4 * MINUTE)
        made.flush()
        hashes.append(lake_hash(made.run.lake))

    assert hashes[0] == hashes[1]


# -- a whole stack -----------------------------------------------------------------------------------


def overloaded(run_dir: Path) -> VirtualStack:
    """Ranking needs 100 ms of its own for each of 20 requests a second: more than there is time for."""
    usual = timings.load()
    slow = usual.work["ranking.Rank"].model_copy(update={"base_ms": 100.0})
    timing = usual.model_copy(update={"work": {**usual.work, "ranking.Rank": slow}})
    return VirtualStack("tiny", run_dir, seed=3, rate_per_s=20.0, timing=timing)


def act(stack: VirtualStack, words: str) -> Record:
    return Action.parse(words.split()).run(stack.operations, "operator")


def test_requests_are_quicker_and_the_callee_has_less_to_do(home: Path, tmp_path: Path) -> None:
    p99_ms, calls = {}, {}
    for name in ("without", "with"):
        stack = overloaded(tmp_path / name)
        if name == "with":
            act(stack, "breaker caller=gateway callee=ranking switch=on open_s=60")
        stack.advance(stack.began_ts + 30 * MINUTE)
        stack.flush()
        with connect(stack.run.lake) as lake:
            (calls[name],) = lake.execute("SELECT count(*) FROM spans WHERE kind = 'server' AND op = 'Rank'").fetchone()
        requests = stack.ledger.requests
        late = requests.ts > stack.began_ts + 15 * MINUTE
        p99_ms[name] = np.percentile(requests.latency_ms[late], 99)

    assert p99_ms["with"] < p99_ms["without"] / 3
    assert calls["with"] < calls["without"] / 3


def test_what_a_breaker_does_can_be_looked_up(home: Path, tmp_path: Path) -> None:
    stack = overloaded(tmp_path / "run")
    act(stack, "breaker caller=gateway callee=ranking switch=on open_s=60")
    stack.advance(stack.began_ts + 20 * MINUTE)
    stack.flush()
    with connect(stack.run.lake) as lake:
        opened = lake.execute("SELECT service, level, fields FROM logs WHERE msg = 'circuit breaker opened'").fetchall()
        cut_short = lake.execute(
            "SELECT count(*) FROM logs WHERE msg = 'stage fell back' AND fields LIKE '%WIRE-008%'"
        ).fetchone()
        alone = lake.execute(  # what is short-circuited has a client's span and no server's
            "SELECT count(*), max(c.dur_ms) FROM spans c ANTI JOIN spans s ON s.parent_id = c.span_id"
            " WHERE c.kind = 'client' AND c.peer = 'ranking' AND c.status = 'UNAVAILABLE'"
        ).fetchone()
        edges = lake.execute(
            "SELECT err_rate, p50_ms FROM rpc_edges WHERE callee = 'ranking' ORDER BY ts DESC LIMIT 1"
        ).fetchone()

    assert [(service, level) for service, level, _ in opened] == [("gateway", "warn")]
    fields = json.loads(opened[0][2])
    assert (fields["callee"], fields["path"], fields["open_s"]) == ("ranking", "a", 60.0)
    assert fields["failed"] >= fields["calls"] / 2 >= 10
    assert cut_short[0] == alone[0] > 50
    assert alone[1] == 0.0
    assert edges == (1.0, 0.0)


# -- the action --------------------------------------------------------------------------------------


@pytest.fixture
def stack(home: Path, tmp_path: Path) -> VirtualStack:
    return VirtualStack("tiny", tmp_path / "run", seed=3, telemetry=False)


def test_a_breaker_is_put_on_changed_taken_off_and_reverted(stack: VirtualStack) -> None:
    def now() -> Breaker | None:
        return stack.config.ranking.model.breaker

    put_on = act(stack, "breaker caller=ranking callee=model switch=on open_s=8")
    assert now() == Breaker(open_s=8)
    assert (put_on.old, put_on.new) == ("off", "failed_share=0.5 least_calls=20 window_s=10 open_s=8 trial_calls=3")
    assert put_on.key == "model.breaker"
    eased = act(stack, "breaker caller=ranking callee=model switch=on least_calls=50")
    assert now() == Breaker(open_s=8, least_calls=50)
    act(stack, f"revert change={eased.n}")
    assert now() == Breaker(open_s=8)
    act(stack, "deadline caller=ranking callee=model ms=90")
    assert now() == Breaker(open_s=8)
    act(stack, "breaker caller=ranking callee=model switch=off")
    assert now() is None
    assert stack.config.ranking.model.deadline_ms == 90
    act(stack, f"revert change={put_on.n}")
    assert stack.config == Config(version=stack.config.version)


@pytest.mark.parametrize(
    ("words", "where", "expected"),
    [
        ("caller=gateway callee=model switch=on", "caller, callee", "caller=ranking callee=model"),
        ("caller=gateway callee=ranking", "switch", "switch=..."),
        ("caller=gateway callee=ranking switch=half-open", "switch", "on, off"),
        ("caller=gateway callee=ranking switch=on open_s=soon", "open_s", "a number"),
        ("caller=gateway callee=ranking switch=on open_s=-1", "open_s", "greater than or equal"),
        ("caller=gateway callee=ranking switch=on failed_share=50", "failed_share", "less than or"),
        ("caller=gateway callee=ranking switch=on least_calls=2.5", "least_calls", "integer"),
        ("caller=gateway callee=ranking switch=off open_s=3", "open_s", "none with switch=off"),
        ("caller=gateway callee=ranking switch=on colour=red", "colour", "trial_calls"),
    ],
)
def test_nonsense_is_refused_by_name_and_changes_nothing(
    stack: VirtualStack, words: str, where: str, expected: str
) -> None:
    for does in (Action.preview, lambda action, ops: action.run(ops, "operator")):
        with pytest.raises(SandboxError) as refusal:
            does(Action.parse(["breaker", *words.split()]), stack.operations)
        assert refusal.value.kind.code == "DRILL-007"
        assert where in refusal.value.where
        assert expected in refusal.value.expected
    assert stack.config == Config()


def test_the_preview_says_what_becomes_of_what(stack: VirtualStack) -> None:
    words = ["breaker", "caller=gateway", "callee=rules", "switch=on"]
    preview = Action.parse(words).preview(stack.operations)

    assert "gateway->rules: breaker off becomes failed_share=0.5 least_calls=20" in preview.summary
    assert preview.touches == ["gateway"]
    assert preview.reversible


def test_documents_of_an_edge_without_a_breaker_do_not_speak_of_one() -> None:
    assert "breaker" not in Config().model_dump_json()
    edge = Edge(deadline_ms=50, breaker=PROMPT)
    assert Edge.model_validate_json(edge.model_dump_json()) == edge
