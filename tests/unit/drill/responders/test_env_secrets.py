"""What leads from a responder's environment to the truth: nothing but an import, or the collector."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from sandbox.base.errors import SandboxError
from sandbox.drill.play.report import Report
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.responders.trials import Trial, play
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Evidence, Part, Scenario
from tests.unit.drill.fake_drill import FakeDrill, opened
from tests.unit.drill.telltales import found_in
from tests.unit.drill.walks import reached

PACK = list(library.load_all())


def telling(scenario: Scenario, *roots: object) -> list[str]:
    """What of the truth is reached from there."""
    found = []
    for thing in reached(*roots):
        if isinstance(thing, Part | Evidence | FakeDrill):
            found.append(type(thing).__name__)
        elif isinstance(thing, str):
            found += found_in(thing.encode(), scenario, words=False)
    return found


def refusal(call: Callable[[Any], object], argument: object) -> SandboxError:
    """What it raised, with its frames, as a responder would catch it."""
    try:
        call(argument)
    except SandboxError as error:
        return error
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize("name", PACK)
def test_no_attribute_of_an_environment_leads_to_the_truth(name, tmp_path):
    """Before the drill, in it, after a refusal that was caught, and by what it answered."""
    with DrillEnv(name, run_dir=tmp_path / "run", opener=opened) as env:
        of = library.named(name)
        assert telling(of, env) == []
        observation = env.reset()
        page = env.wait_for_page()
        rows = env.observe("SELECT 1")
        refusals = [refusal(env.act, ""), refusal(env.observe, "SELECT $soon"), refusal(env.wait, -1)]

        assert telling(of, env, observation, page, rows, *refusals) == []


def test_the_walk_finds_what_it_is_to_find(tmp_path):
    """Or the test above could not fail: an attribute, a closure, a caught error's frames."""
    of = library.named("slow-home")

    def held() -> Scenario:
        return of

    def knows(argument: object) -> None:
        within = of
        raise SandboxError("DRILL-006", where=within.id, seen=argument, expected="", fix="")

    class Owner:
        __slots__ = ("_hidden",)

        def __init__(self) -> None:
            self._hidden = {"of": [of]}

    for way in (Owner(), held, refusal(knows, 1)):
        assert "Scenario" in telling(of, way)


def test_there_is_no_scenario_to_be_had_by_name():
    env = DrillEnv("slow-home")

    for name in ("scenario", "_scenario", "truth", "_drill", "_faults", "_opener", "host", "_host"):
        assert not hasattr(env, name)
    assert (env.name, env.world, env.seed) == ("slow-home", "laptop", 11)
    assert not any(isinstance(value, BaseModel) for value in vars(env).values())


class Twice:
    """Hands a first report in for the truth in its grade, and begins anew with it."""

    def respond(self, env: DrillEnv) -> Report:
        env.submit(Report(incident=False))
        env.reset()
        return Report(incident=False)


class Peeks:
    """Waits until all is seen, and begins anew to answer early."""

    def respond(self, env: DrillEnv) -> Report:
        env.wait(1e6)
        env.reset()
        return Report(incident=False)


@pytest.mark.parametrize("cheat", ["Twice", "Peeks"])
def test_in_an_evaluation_a_drill_is_played_once(cheat, tmp_path):
    """The first report is what counts, and nobody comes back from the future."""
    of = library.named("slow-home")
    trial = Trial(of, f"{__name__}:{cheat}", 1)

    outcome = play(trial, tmp_path / "run", lambda _: None, opened)

    assert outcome.score < 0.1
    assert json.dumps(outcome.document) or outcome.note
    if cheat == "Peeks":
        assert outcome.note.startswith("DRILL-006")
