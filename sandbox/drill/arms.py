"""The arms of a comparison: which drills are run to be held against each other.

One seed's arms share arrivals, users and draws (common random numbers), so what differs between two of
them comes from the faults and actions that differ. Four are told about (ARMS); `wrong_actions`, with the
actions that the scenario does not accept and no others, is for the grader.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sandbox.base import paths
from sandbox.base.streams import seed_of
from sandbox.drill.deeds import Action
from sandbox.drill.scenario import Scenario

ARMS = ("incident", "without_faults", "without_actions", "best_response")
WRONG_ACTIONS = "wrong_actions"
AT_ONCE_S = 1.0  # world seconds after onset: the best response follows the fault, not the reverse
_PACKAGES = ("sandbox", "services", "faults", "loadtest")


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
    def key(self) -> str:
        """Names the run in the cache: hash of the plan, of the world's files and of the code."""
        document = {
            "scenario": self.scenario.model_dump(mode="json"), "world": self.world, "seed": self.seed,
            "faults": self.faults, "actions": self.actions, "until_s": self.until_s,
            "made_of": _world_hash(paths.worlds() / self.world), "code": code_hash(),
        }  # fmt: skip
        text = json.dumps(document, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def arms_of(plan: ArmPlan, done: Sequence[Action]) -> dict[str, ArmPlan]:
    """The arms of one drill by name, `plan` being what happened. done: the trainee's actions, in the
    order of plan.actions. Arms that come to the same run are equal, and need be run only once."""
    scenario = plan.scenario
    onset_s = scenario.truth.onset_s
    best: tuple[tuple[float, str], ...] = ()
    if plan.faults and onset_s is not None and scenario.accept:
        best = ((onset_s + AT_ONCE_S, scenario.accept[0]),)
    wrong = tuple(
        typed for typed, action in zip(plan.actions, done, strict=True)
        if not (plan.faults and action.is_one_of(scenario.accept))
    )  # fmt: skip
    return {
        "incident": plan,
        "without_faults": replace(plan, faults=False, actions=()),
        "without_actions": replace(plan, actions=()),
        "best_response": replace(plan, actions=best),
        WRONG_ACTIONS: replace(plan, actions=wrong),
    }


def seeds_of(seed: int, n: int) -> tuple[int, ...]:
    """The drill's own seed and n - 1 more that follow from it."""
    return (seed, *(seed_of(seed, "twin", i) for i in range(1, n)))


def other_healthy(plan: ArmPlan, n: int) -> Iterator[ArmPlan]:
    """n further healthy days of the same scenario, for what differs between healthy days."""
    for seed in seeds_of(plan.seed, n + 1)[1:]:
        yield replace(plan, seed=seed, faults=False, actions=())


@cache
def code_hash() -> str:
    """Of every source file of ours: a ledger from other code is no ledger of this one."""
    root = Path(__file__).resolve().parents[2]
    whole = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            whole.update(path.relative_to(root).as_posix().encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()


@cache
def _world_hash(directory: Path) -> str:
    manifest = directory / "world.json"
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else ""
