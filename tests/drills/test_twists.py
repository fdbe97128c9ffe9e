"""An instructor's hand in a real virtual world: it comes about again to the byte, it hurts, and to look at the harm moves
nothing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.drill.play.virtual_desk import VirtualDesk
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Load
from sandbox.room import house
from sandbox.room.commands import parsed, parsed_join
from sandbox.room.events import INSTRUCTOR
from sandbox.room.twists.deeds import deed_of
from sandbox.room.twists.harm_live import HarmWatch, healthy_plan, reckoned
from sandbox.virtual.people.ledger import Ledger, Requests
from tests.drills.test_room import LITTLE, own_home  # noqa: F401

pytestmark = pytest.mark.timeout(300)
SOME = Load(rate_per_s=8.0)
SLOW = {"do": "arm", "fault": "rpc-edge-latency", "target": "gateway->rules", "params": {"delay_ms": 30}}


def arm(name: str) -> dict[str, Any]:
    return {"name": name, "do": "arm", "step": deed_of(SLOW).step.model_dump(mode="json")}


def begun() -> VirtualDesk:
    return VirtualDesk.start(library.named("slow-home").model_copy(update={"load": SOME}), "tiny")


def same(one: Ledger, other: Ledger) -> bool:
    return all(np.array_equal(getattr(one.requests, f.name), getattr(other.requests, f.name)) for f in fields(Requests))


def test_what_a_hand_did_comes_about_again_and_looking_at_the_harm_moves_nothing(own_home: Path):  # noqa: F811
    """One world is looked at on the way and taken up again, the other is neither."""

    def deeds(desk: VirtualDesk, looked: bool) -> None:
        for until_s, deed in (
            (300, arm("h1")),
            (600, {"name": "h2", "do": "revert", "change": 1, "actor": "robin"}),
            (1_050, {"name": "h3", "do": "disarm", "of": "h1", "service": "gateway", "change": None}),
            (1_100, {"name": "h4", "do": "note", "actor": "dana", "target": "rules", "key": "x", "old": "-", "new": "y", "note": ""}),
        ):  # fmt: skip
            desk.wait(desk.began_ts + until_s)
            if until_s == 600:
                desk.act("breaker caller=gateway callee=rules switch=on open_s=10")
            desk.by_hand(deed)
            if looked:
                desk.came_to()

    with begun() as plain:
        deeds(plain, looked=False)
        plain.wait(plain.began_ts + 1_500)
        untouched = plain.came_to()
    with begun() as desk:
        deeds(desk, looked=True)
    with VirtualDesk.resume(desk.drill) as again:
        twice = again.by_hand(arm("h1"))
        records = [(r.actor, r.op) for r in again.operations().records()]
        again.wait(again.began_ts + 1_500)
        looked = again.came_to()

    assert untouched is not None
    assert looked is not None
    assert same(untouched[0], looked[0])
    assert twice == {"name": "h1", "change": None}, "done already"
    assert records == [("operator", "breaker"), ("robin", "revert"), ("dana", "change")]
    slow = looked[0].between(again.began_ts + 600, again.began_ts + 1_035).requests.latency_ms
    after = looked[0].between(again.began_ts + 1_065, again.began_ts + 1_500).requests.latency_ms
    assert np.median(slow) > np.median(after) + 20


def test_a_room_tells_its_instructor_the_harm_beside_the_healthy_day(own_home: Path):  # noqa: F811
    scenario = library.named("slow-home").model_copy(update={"load": LITTLE, "minutes": 25.0})
    room = house.open_room(scenario, "virtual", world="tiny", twin=False)
    try:
        room.join(parsed_join({"name": "Ann", "role": "commander"}))
        room.submit(INSTRUCTOR, parsed({"kind": "twist", "does": SLOW}))
        room.at_desk(lambda desk: desk.wait(desk.began_ts + 1_200))
        healthy: list[Any] = []

        def run(drill: Any, plan: Any) -> None:
            healthy.append(plan)

        watch = HarmWatch(room, lambda: 0.0, run)
        first = watch.seen(0)
        ledger = room.at_desk(lambda desk: desk.came_to())
        plan = healthy_plan(room.drill)
    finally:
        room.close()

    assert first.why.startswith("the healthy day is being run")
    assert first.sums["clicks"].healthy is None
    assert first.touched
    assert len(first.minutes["p99_ms"]) == 20
    assert (plan.faults, plan.actions, plan.until_s) == (False, (), room.drill.scenario.length_s)
    assert healthy == [plan]
    assert ledger is not None
    beside = reckoned(ledger[0], ledger[0], ledger[0].began_ts, ledger[1], None, 15)
    assert (beside["sums"]["clicks"].harm, beside["sums"]["clicks"].lately) == (0.0, 0.0)
    assert len(beside["minutes"]["clicks"]) == 5
