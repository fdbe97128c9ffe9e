from pathlib import Path

import numpy as np
import pytest

from faults.arming import Spec, params_of
from faults.catalogue import fault_named
from loadtest.schedule import WINDOW_S, Schedule
from loadtest.sessions import Visit, requests_per_session
from sandbox.base.catalogue import Catalogue
from sandbox.base.worlds import world_dir
from sandbox.world.behaviour import Behaviour
from services.skeleton.seams import Seam

START = 1e6
RATE = 0.5  # sessions per world second


@pytest.fixture(scope="module")
def behaviour(home: Path) -> Behaviour:
    return Behaviour.load(world_dir("tiny"))


def come(bench, behaviour, **params):
    """Schedule and sessions of twenty minutes."""
    seam = Seam("traffic")
    if params:
        armed = bench(fault="bot-scrape-burst", params=params, since=0.0)
        seam.put(armed.armed)
    catalogue = Catalogue.load(world_dir("tiny") / "public" / "catalogue.npz")
    schedule = Schedule(behaviour, START, RATE, 7, shaped=False, catalogue=catalogue, seam=seam)
    return schedule, schedule.due(START + 20 * WINDOW_S)


def split(schedule, sessions):
    programs = [one for one in sessions if schedule.script_of(one[2])]
    return programs, [one for one in sessions if not schedule.script_of(one[2])]


def test_a_few_users_send_that_share_of_the_requests_and_people_come_as_ever(bench, behaviour):
    _, usual = come(bench, behaviour)
    schedule, sessions = come(bench, behaviour, requests_share=1.0, users=5, pages=20)

    programs, people = split(schedule, sessions)

    assert people == usual
    assert len({user for _, user, _ in programs}) <= 5
    requests = requests_per_session(behaviour) * len(usual)
    assert 0.5 < 20 * len(programs) / requests < 1.5


def test_a_program_goes_page_after_page_at_its_beat_and_leaves_after_the_last(bench, behaviour):
    schedule, sessions = come(bench, behaviour, pages=12, gap_s=3.0, clicks="random")
    _, user, session = split(schedule, sessions)[0][0]
    visit, gaps, clicked = Visit(user, session, 0.5, script=schedule.script_of(session)), [], 0

    while not visit.over:
        clicked += sum(r.kind == "click" for r in visit.answer(behaviour, list(range(10)), latency_ms=900.0))
        gaps.append(visit.think_s(behaviour))

    assert visit.depth == 12
    assert set(gaps) == {3.0}
    assert 3 <= clicked <= 25


@pytest.mark.parametrize(("clicks", "targets", "clicked"), [("none", (), set()), ("targets", (4, 99), {4})])
def test_it_clicks_by_plan(bench, behaviour, clicks, targets, clicked):
    schedule, sessions = come(bench, behaviour, clicks=clicks, targets=targets)
    _, user, session = split(schedule, sessions)[0][0]
    visit = Visit(user, session, 0.5, script=schedule.script_of(session))

    done = visit.answer(behaviour, list(range(10)), latency_ms=30.0)

    assert {r.item_id for r in done if r.kind == "click"} == clicked
    assert {r.kind for r in done} <= {"click", "dwell"}


def test_clicks_on_targets_without_a_target_would_do_nothing():
    cls = fault_named("bot-scrape-burst")

    assert "targets" in cls.idle(params_of(Spec(fault=cls.name, params={"clicks": "targets"})), {})
    assert cls.idle(params_of(Spec(fault=cls.name)), {}) is None


def test_another_drill_has_other_names(bench, behaviour):
    def names(seed):
        armed = bench(fault="bot-scrape-burst", seed=seed)
        return tuple(np.flatnonzero(armed.armed.fault._posed(10_000)))

    assert len({names(seed) for seed in range(5)}) == 5
