"""One truth on both backends: what a wrapper does at a point shows alike on the live path and on the virtual one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from loadtest.schedule import WINDOW_S, Schedule, Sessions
from sandbox.base.worlds import world_dir
from sandbox.world.behaviour import Behaviour
from services.skeleton.points import POINTS, SERVED
from services.skeleton.seams import Seam
from tests.services.points.live import live
from tests.services.points.observed import observe
from tests.services.points.virtual import Virtual
from tests.services.points.wrappers import HOW, KINDS, Wrapper

pytestmark = pytest.mark.timeout(300)


def kinds(point):
    """Nobody can wait at a point that is not awaited."""
    return [kind for kind in KINDS if POINTS[point].awaited or kind != "delaying"]


CASES = [(where, kind) for where in HOW for kind in kinds(where[0])]
IDS = [f"{point}-{process}-{kind}" for (point, process, *_), kind in CASES]


async def _all(side):
    return {(where, kind): await observe(side, where, kind) for where, kind in CASES}


@pytest.fixture(scope="module")
def on_live(tmp_path_factory: pytest.TempPathFactory) -> dict:
    async def play():
        async with live(tmp_path_factory.mktemp("live")) as side:
            return await _all(side)

    return asyncio.run(play())


@pytest.fixture(scope="module")
def on_virtual(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return asyncio.run(_all(Virtual(tmp_path_factory.mktemp("virtual") / "run")))


def test_every_point_of_serving_is_looked_at():
    assert {point for point, *_ in HOW} | {"traffic"} == set(SERVED)
    for point, process, peer, op in HOW:
        assert POINTS[point].misfit(process, peer or "v1", op) is None
    written = {process for point, process, *_ in HOW if point == "write"}
    assert written == set(POINTS["write"].processes)


@pytest.mark.parametrize(("where", "kind"), CASES, ids=IDS)
def test_both_backends_show_the_same(on_live, on_virtual, where, kind):
    assert on_virtual[where, kind] == on_live[where, kind]


@pytest.mark.parametrize(
    ("where", "kind"), [case for case in CASES if case[1] != "plain"],
    ids=[name for name in IDS if not name.endswith("plain")],
)  # fmt: skip
def test_what_is_shown_is_other_than_without_a_wrapper(on_virtual, where, kind):
    assert on_virtual[where, kind] != on_virtual[where, "plain"]


def first_three(drawn):
    return Sessions(drawn.ts[:3], drawn.user[:3], drawn.session[:3])


# -- traffic: both backends draw from the same schedule ----------------------------------------------


@pytest.fixture(scope="module")
def behaviour(home: Path) -> Behaviour:
    return Behaviour.load(world_dir("tiny"))


def sessions(behaviour, kind=None, **how):
    seam, start = Seam("traffic"), 1e6
    schedule = Schedule(behaviour, start, 0.5, 7, shaped=False, seam=seam)
    if kind is not None:
        seam.put(Wrapper(kind, "arrivals", "draw", **how))
    return schedule.due(start + 3 * WINDOW_S)


def test_arrivals_can_be_changed_and_dropped(behaviour):
    plain = sessions(behaviour)
    assert len(plain) > 20

    fewer = sessions(behaviour, "changing", change=lambda at: (at[0], at[0] + WINDOW_S / 4))
    assert 0 < len(fewer) < len(plain)
    assert set(fewer) < set(plain)
    halved = sessions(behaviour, "answering", answer=first_three)
    assert 0 < len(halved) < len(plain)


@pytest.mark.parametrize("kind", ["failing", "breaking", "nonsense"])
def test_a_wrapper_that_fails_leaves_the_usual_arrivals(behaviour, kind):
    assert sessions(behaviour, kind, code="WIRE-005") == sessions(behaviour)
