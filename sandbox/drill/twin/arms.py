"""The arms of a comparison: which drills are run to be held against each other.

One seed's arms share arrivals, users and draws (common random numbers), so what differs between two of
them comes from the faults and actions that differ. Four are told about (ARMS); for the grader there are more,
with the first of the trainee's actions, the first two and so on, so that each action can be seen to help,
to harm or to be needless.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sandbox.base import paths
from sandbox.base.sources import code_hash
from sandbox.base.streams import seed_of
from sandbox.drill.scenario.plays import plays
from sandbox.drill.scenario.scenario import Scenario

ARMS = ("incident", "without_faults", "without_actions", "best_response")
MOST_STEPS = 4  # in which what was done is told apart: of more actions, several in a row are one step
TOO_MANY = 12  # actions that nobody tells apart any more: then what is accepted decides
AT_ONCE_S = 1.0  # world seconds after onset: the best response follows the fault, not the reverse
DECIDES = ("sandbox.drill.twin.branches", "faults")  # code that a run comes out of


@dataclass(frozen=True)
class ArmPlan:
    """Everything that determines a virtual run.

    actions: (world seconds since the drill began, action as typed). until_s: where it ends, in the same.
    """

    scenario: Scenario
    world: str
    seed: int
    faults: bool
    actions: tuple[tuple[float, str], ...]
    until_s: float

    @property
    def done(self) -> tuple[tuple[float, str], ...]:
        """Its actions before it ends, in the order of their times."""
        return tuple(sorted((a for a in self.actions if a[0] < self.until_s), key=lambda action: action[0]))

    @property
    def key(self) -> str:
        """Names the run in the cache: hash of what decides it, of the world's files and of the code that it comes
        out of."""
        document = {
            "scenario": plays(self.scenario, self.faults), "world": self.world, "seed": self.seed,
            "faults": self.faults, "actions": self.actions, "until_s": self.until_s,
            "made_of": world_hash(paths.worlds() / self.world), "code": code_hash(*DECIDES),
        }  # fmt: skip
        text = json.dumps(document, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def arms_of(plan: ArmPlan) -> dict[str, ArmPlan]:
    """The arms of one drill by name, `plan` being what happened. Arms that come to the same run are equal,
    and need be run only once."""
    best: tuple[tuple[float, str], ...] = ()
    if plan.faults:
        best = tuple((at_s + AT_ONCE_S, text) for at_s, text in plan.scenario.best_response)
    ends = step_ends(len(plan.actions))
    return {
        "incident": plan,
        "without_faults": replace(plan, faults=False, actions=()),
        "without_actions": replace(plan, actions=()),
        "best_response": replace(plan, actions=best),
        **{step_arm(n): replace(plan, actions=plan.actions[:n]) for n in (0, *ends)},
    }


def step_arm(n: int) -> str:
    """Name of the arm with the first n actions and no others."""
    return f"first_{n}"


def step_ends(n_actions: int) -> tuple[int, ...]:
    """How many actions are done at the end of each step: all steps of one length, the last may be shorter.
    None for too many actions."""
    if n_actions > TOO_MANY:
        return ()
    size = max(1, -(-n_actions // MOST_STEPS))
    return tuple(min(n_actions, end) for end in range(size, n_actions + size, size))


def same_actions(plan: ArmPlan, before_s: float) -> tuple[tuple[float, str], ...]:
    """Its actions before that time, world seconds since the drill began."""
    return tuple(action for action in plan.actions if action[0] < before_s)


def seeds_of(seed: int, n: int) -> tuple[int, ...]:
    """The drill's own seed and n - 1 more that follow from it."""
    return (seed, *(seed_of(seed, "twin", i) for i in range(1, n)))


def other_healthy(plan: ArmPlan, n: int) -> Iterator[ArmPlan]:
    """n further healthy days of the same scenario with the same actions, for what differs between days."""
    for seed in seeds_of(plan.seed, n + 1)[1:]:
        yield replace(plan, seed=seed, faults=False)


@cache
def world_hash(directory: Path) -> str:
    manifest = directory / "world.json"
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else ""
