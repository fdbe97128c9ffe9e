"""Retries on a live edge, with a real gRPC server on loopback; a virtual edge makes the same of the same settings."""

from __future__ import annotations

import pytest

from sandbox.base.config import Edge
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from tests.services.harness import rows
from tests.services.test_skeleton import ask, stack
from tests.unit.virtual.test_fabric import Bench

LATE = 3_000  # the live server takes so long, ms
NAMES = TABLES["spans"].names


async def live(tmp_path, edges):
    """What became of a call on each of those settings, of a callee that is always late: its error, and the attempts."""
    async with stack(tmp_path) as (_, callee, caller, *_rest):
        ended = []
        for edge in edges:
            with pytest.raises(SandboxError) as error:
                await callee.call("Apply", ask(LATE), edge)
            ended.append(error.value.kind.code)
        return ended, attempts(rows(caller, "spans"))


def virtual(edges):
    """The same in virtual time, where a call takes 11 ms, and no setting leaves it so much."""
    bench = Bench()
    for edge in edges:
        bench.call("gateway", edge)
        bench.loop.run_until(bench.loop.now + 10)
    return [code for _, code, _ in bench.ended], attempts([row for _, table, row in bench.rows if table == "spans"])


def attempts(spans):
    of = (dict(zip(NAMES, row, strict=True)) for row in spans)
    return [(s["attempt"], s["status"]) for s in of if s["kind"] == "client"]


def edge(scale, **settings):
    """Times in units that are long for a live call and short for a virtual one."""
    times = {name: settings.pop(name) * scale for name in ("deadline_ms", "timeout_ms") if name in settings}
    return Edge(**times, **settings)


CASES = {
    "as it is by default": ([{"deadline_ms": 8}], [1]),
    "an attempt with a time of its own": ([{"deadline_ms": 80, "timeout_ms": 4, "attempts": 3}], [1, 2, 3]),
    "as often as the deadline allows": ([{"deadline_ms": 9, "timeout_ms": 5, "attempts": 9}], [1, 2]),
    "once": ([{"deadline_ms": 80, "timeout_ms": 4, "attempts": 1}], [1]),
    "a budget that is spent": (
        [{"deadline_ms": 80, "timeout_ms": 2, "attempts": 8, "retry_budget": 0.0}] * 3,
        [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 1],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_both_backends_try_alike(tmp_path, case):
    wanted, numbers = CASES[case]

    ended, tried = await live(tmp_path, [edge(10, **settings) for settings in wanted])

    assert ended == ["WIRE-004"] * len(wanted)
    assert tried == [(n, "DEADLINE_EXCEEDED") for n in numbers]
    assert virtual([edge(1, **settings) for settings in wanted]) == (ended, tried)
