"""A shadow and a canary: the same answers and the same rows of them, live and virtually."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandbox.base import artefacts
from sandbox.base.arms import arm_of
from sandbox.base.config import Canary, Shadow
from sandbox.runtime.operate.staging import Wish, move, stages_of
from tests.services.points.live import live
from tests.services.points.test_limits import LiveSide, VirtualSide
from tests.services.points.virtual import Virtual

pytestmark = pytest.mark.timeout(300)
AS_LIVE = {"requests": {"rk-1"}, "impressions": {"rk-1"}, "forward": {"rk-1"}, "shadow": []}


def again(operations):
    """rk-2: rk-1 under another name, so that a shadow agrees with it in all."""
    first = artefacts.find(operations.run.registries, "ranker", "rk-1")
    named = first.manifest.model_copy(update={"version": "rk-2"})
    artefacts.register(operations.run.registries[0], named, {name: first.read(name) for name in named.files})


async def to(side, stage, **how):
    await side.operate(lambda operations: move(operations, Wish("ranker", "rk-2", stage, None, "operator", **how)))


async def seen(side, *, shadow_rows=0):
    """What one request leaves behind, once as many shadow scores are there."""
    side.forget()
    await side.ask()
    await side.until(lambda: len(side.rows("shadow_scores")) >= shadow_rows)
    spans = [s for s in side.rows("spans") if (s["service"], s["op"]) == ("model", "forward")]
    return {
        "requests": {r["model_version"] for r in side.rows("requests")},
        "impressions": {r["model_version"] for r in side.rows("impressions")},
        "forward": {s["peer"] for s in spans},
        "shadow": [
            (r["live_version"], r["shadow_version"], r["status"], r["overlap_10"], r["p_click_live"] == r["p_click_shadow"])
            for r in side.rows("shadow_scores")
        ],
    }  # fmt: skip


def canary(side, *, of, until_ts=9e9):
    """With a salt that puts the user who asks into that arm."""
    salted = (Canary(version="rk-2", share=0.4, salt=str(n), until_ts=until_ts) for n in range(100))
    return next(made for made in salted if arm_of(side.user, made) == of)


async def _all(side):
    await side.operate(again)
    found = {"before": await seen(side)}
    await to(side, "shadow", shadow=Shadow(version="rk-2", share=1.0))
    found["shadow"] = await seen(side, shadow_rows=1)
    await to(side, "canary", canary=canary(side, of="canary"))
    found["canary"] = await seen(side)
    await to(side, "candidate")
    await to(side, "canary", canary=canary(side, of="baseline"))
    found["canary of others"] = await seen(side)
    await to(side, "candidate")
    await to(side, "canary", canary=canary(side, of="canary", until_ts=1.0))
    found["canary whose time is over"] = await seen(side)
    await to(side, "live", bypass="a test")
    found["live"] = await seen(side)
    stages = []
    await side.operate(lambda operations: stages.append(stages_of(operations)))
    found["moves"] = [(m.from_stage, m.to_stage, m.replaced) for m in stages[0].moves]
    return found


EXPECTED = {
    "before": AS_LIVE,
    "shadow": AS_LIVE | {"shadow": [("rk-1", "rk-2", "OK", 1.0, True)]},
    "canary": {"requests": {"rk-2"}, "impressions": {"rk-2"}, "forward": {"rk-2"}, "shadow": []},
    "canary of others": AS_LIVE,
    "canary whose time is over": AS_LIVE,
    "live": {"requests": {"rk-2"}, "impressions": {"rk-2"}, "forward": {"rk-2"}, "shadow": []},
    "moves": [
        ("candidate", "shadow", None), ("shadow", "canary", None), ("canary", "candidate", None),
        ("candidate", "canary", None), ("canary", "candidate", None), ("candidate", "canary", None),
        ("canary", "live", "rk-1"),
    ],
}  # fmt: skip


async def on_live(home: Path, folder: Path):
    async with live(folder) as side:
        side.run.save()
        return await _all(LiveSide(side))


async def on_virtual(home: Path, folder: Path):
    return await _all(VirtualSide(Virtual(folder / "run")))


@pytest.mark.parametrize("backend", [on_live, on_virtual])
def test_both_backends_honour_a_shadow_and_a_canary_alike(backend, home, tmp_path):
    assert asyncio.run(backend(home, tmp_path)) == EXPECTED
