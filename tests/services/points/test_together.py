"""Faults beside each other and in time, through real seams: the same on the live path and on the virtual one."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.arming import wrapper_for
from sandbox.drill.play.engine import Engine
from sandbox.drill.play.journal import Journal
from sandbox.drill.scenario.scenario import Step
from tests.services.points.live import live
from tests.services.points.virtual import Virtual
from tests.unit.drill.scenes import FakeBackend, scenario

pytestmark = pytest.mark.timeout(300)

LATE = {"fault": "rpc-edge-latency", "params": {"delay_ms": 300}, "scope": {"callee": "rules"}}
REFUSED = {"fault": "rpc-abort-slice", "params": {"code": "INTERNAL"}}
HOUR = 3_600.0


@contextmanager
def armed(side, process, spec):
    name, wrapper = wrapper_for(spec, side.seams(process), process)
    seam = side.seams(process).named(name)
    seam.put(wrapper)
    try:
        yield
    finally:
        seam.take_off(wrapper)


async def waited(side) -> int:
    """How often 300 ms a request waited for the rules."""
    side.forget()
    await side.ask()
    (span,) = [s for s in side.rows("spans") if (s["op"], s["kind"]) == ("Apply", "client")]
    return int(span["dur_ms"] // 300)


async def fell(side) -> str:
    side.forget()
    await side.ask()
    return side.rows("requests")[0]["fallback"]


def since(side, process, seconds):
    """Armed so many world seconds ago."""
    return side.seams(process).world.now() - seconds


async def two_on_one_seam(side):
    with armed(side, "gateway", LATE):
        with armed(side, "gateway", {**LATE, "seed": 2}):
            both = await waited(side)
        one = await waited(side)
    return both, one, await waited(side)


async def two_of_which_one_is_out_of_scope(side):
    other = {**REFUSED, "scope": {"callee": "gateway", "user_buckets": [side.user % 100 + 1, side.user % 100 + 2]}}
    with armed(side, "rules", other):
        spared = await fell(side)
        with armed(side, "rules", {**REFUSED, "scope": {"callee": "gateway"}}):
            return spared, await fell(side)


async def pulses(side):
    onset = {"shape": "pulses", "period_s": 10 * HOUR, "on_s": 5 * HOUR}
    seen = []
    for hours in (2, 7, 12):
        with armed(side, "gateway", {**LATE, "onset": onset, "since": since(side, "gateway", hours * HOUR)}):
            seen.append(await waited(side))
    return seen


async def a_drift(side):
    onset = {"shape": "drift", "half_life_s": 100 * HOUR}
    seen = []
    for hours in (0.01, 5_000):
        with armed(side, "rules", {**REFUSED, "onset": onset, "since": since(side, "rules", hours * HOUR)}):
            seen.append(await fell(side))
    return seen


class OnSide(FakeBackend):
    """A drill's stage whose faults are put on the seams of a side."""

    def __init__(self, side):
        super().__init__()
        self.side, self.on = side, {}

    def arm(self, name, service, spec):
        self.on[name] = armed(self.side, service, {k: v for k, v in spec.items() if k != "id"})
        self.on[name].__enter__()

    def disarm(self, name, service):
        self.on.pop(name).__exit__(None, None, None)


async def one_that_ends_by_itself(side, folder):
    step = Step.model_validate(
        {
            "at_s": 600,
            "until_s": 1_800,
            "target": "gateway->rules",
            "fault": {"name": LATE["fault"], "params": LATE["params"]},
        }
    )
    drill = scenario().model_copy(update={"timeline": (step,)})
    made = Engine(drill, OnSide(side), Journal(folder / "journal.jsonl"), 0.0, seed=1)
    made.begin()
    seen = []
    for at_s in (300.0, 900.0, 2_100.0):
        made.tick(at_s)
        seen.append(await waited(side))
    return seen


async def telemetry_that_lies_beside_it(side):
    """What the raw rows say of a stage that is refused, and what the metric tells."""
    dead = {"fault": "dead-metric-silent", "params": {"mode": "frozen", "metrics": ["degraded_share"]}}
    side.forget()
    await side.ask()
    with armed(side, "collector", dead):
        await side.minute()
        with armed(side, "rules", {**REFUSED, "scope": {"callee": "gateway"}}):
            side.forget()
            await side.ask()
            await side.minute()
        told = {r["value"] for r in side.rows("metrics") if r["name"] == "degraded_share"}
        return {r["degraded"] for r in side.rows("requests")}, told


async def rows_with_an_end(side):
    """Whether a user's row is there after an event, later, and after another one without the fault."""
    seen = []
    with armed(
        side, "stream", {"fault": "online-key-ttl-expiry", "params": {"ttl_s": 1}, "scope": {"callee": "user_session"}}
    ):
        await side.tell()
        await side.caught_up()
        seen.append(await gone(side))
    await side.tell()
    await side.caught_up()
    return [*seen, side.session_row() is None]


async def gone(side):
    await side.until(lambda: side.session_row() is None)
    return True


CASES = {
    rows_with_an_end: [True, False],
    two_on_one_seam: (2, 1, 0),
    two_of_which_one_is_out_of_scope: ("none", "rules"),
    pulses: [1, 0, 1],
    a_drift: ["none", "rules"],
    telemetry_that_lies_beside_it: ({True}, {0.0}),
}


async def _all(side, folder):
    seen = {case: await case(side) for case in CASES}
    return {**seen, one_that_ends_by_itself: await one_that_ends_by_itself(side, folder)}


@pytest.fixture(scope="module")
def on_live(tmp_path_factory: pytest.TempPathFactory) -> dict:
    async def play():
        async with live(tmp_path_factory.mktemp("live")) as side:
            return await _all(side, tmp_path_factory.mktemp("drill"))

    return asyncio.run(play())


@pytest.fixture(scope="module")
def on_virtual(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return asyncio.run(_all(Virtual(tmp_path_factory.mktemp("virtual") / "run"), tmp_path_factory.mktemp("drill")))


@pytest.mark.parametrize("backend", ["on_live", "on_virtual"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_faults_beside_each_other_and_in_time(request, backend, case):
    assert request.getfixturevalue(backend)[case] == CASES[case]


@pytest.mark.parametrize("backend", ["on_live", "on_virtual"])
def test_a_fault_ends_when_its_time_is_over(request, backend):
    assert request.getfixturevalue(backend)[one_that_ends_by_itself] == [0, 1, 0]
