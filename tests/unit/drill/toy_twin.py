"""Comparisons of the toy's runs, without files and processes."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.drill.play.deeds import ActionTaken, Played
from sandbox.drill.twin.arms import step_ends
from sandbox.drill.twin.comparison import TwinResult, compared
from sandbox.drill.twin.story import Story, told
from tests.unit.drill.scenes import scenario
from tests.unit.drill.toy_arms import BEGAN, toy_run

FILED_S = 6_000.0


def played_of(*actions: ActionTaken, faults: bool = True, filed_s: float = FILED_S) -> Played:
    onset_s = scenario().truth.onset_s if faults else None
    return Played(BEGAN, scenario().length_s, onset_s, 4_000.0, filed_s, actions)


def story_of(*actions: ActionTaken, faults: bool = True, filed_s: float = FILED_S) -> Story:
    played = played_of(*actions, faults=faults, filed_s=filed_s)
    return told(scenario(), "tiny", 1, faults, played)


def twin_of(*actions: ActionTaken, faults: bool = True, seeds: Sequence[int] = (1, 2, 3)) -> TwinResult:
    story = story_of(*actions, faults=faults)
    arms = [{n: toy_run(p, None, False) for n, p in story.arms(seed).items()} for seed in seeds]
    return compared(
        arms, seeds, onset_s=story.onset_s, prompt_s=story.prompt_s,
        filed_s=FILED_S, horizon_s=story.plan.until_s, step_ends=step_ends(len(story.plan.actions)),
    )  # fmt: skip
