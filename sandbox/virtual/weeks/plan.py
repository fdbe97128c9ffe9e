"""What a simulation is asked for, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms
from sandbox.base.worlds import WorldManifest
from sandbox.virtual.weeks.arms import Arm
from sandbox.virtual.weeks.retrain import MODELS

MAX_DAYS = 366
SLATE = 10
JOBS_EVERY_H = (1, 2, 3, 4, 6, 8, 12, 24)


@dataclass(frozen=True)
class Plan:
    """Everything that determines a simulation.

    retrain_days: days between two trainings, 0 for none. models: what is trained, of retrain.MODELS.
    births_share: 0..0.5, of the catalogue, held back and published while the days go by. jobs_every_h:
    hours between two runs of the batch job that writes features, a divisor of 24; every hour on a live
    stack, more seldom here, as requests between two runs are answered together. separate: every user
    lives in every arm, each in a world of its own; else each user has one arm of one world.
    """

    world: str
    days: int
    users: int
    arms: tuple[Arm, ...]
    seed: int = 1
    retrain_days: int = 7
    models: tuple[str, ...] = MODELS
    births_share: float = 0.05
    jobs_every_h: int = 4
    separate: bool = False

    def check(self, manifest: WorldManifest) -> None:
        """Raises CFG-004 for what cannot be simulated."""
        _within("--days", self.days, 1, MAX_DAYS, "a number of days")
        _within("--users", self.users, 1, manifest.users, f"users of the world {self.world}")
        _within("--retrain-days", self.retrain_days, 0, MAX_DAYS, "days, 0 for no retraining")
        _within("--seed", self.seed, 0, 2**63 - 1, "a seed")
        _within("--births", self.births_share, 0.0, 0.5, "a share of the catalogue")
        if self.jobs_every_h not in JOBS_EVERY_H:
            raise _refused("--jobs-every-h", self.jobs_every_h, f"one of {list(JOBS_EVERY_H)}")
        unknown = [model for model in self.models if model not in MODELS]
        if unknown:
            raise _refused("--retrain", unknown[0], f"some of {list(MODELS)}")
        if not manifest.has_negatives:
            raise _refused("--world", self.world, "a world whose log says what was shown: retraining needs it")

    def chosen(self, n_users: int) -> np.ndarray:
        """int64 [users]: who takes part, in order of id. More users: the same ones and others."""
        lot = uniforms(self.seed, "simulate/users", np.arange(n_users))
        return np.sort(np.argsort(lot, kind="stable")[: self.users])


@dataclass(frozen=True)
class Place:
    """Where a simulation reads and writes. world: the world's directory; work: an empty one. keep:
    everything that was shown is written down there."""

    world: Path
    work: Path
    keep: bool = False

    @property
    def shadow(self) -> Path:
        """The world as it is seen here, with its own times of publication."""
        return self.work / "world"

    @property
    def registry(self) -> Path:
        return self.work / "registry"

    @property
    def registries(self) -> tuple[Path, ...]:
        return (self.registry, self.world / "registry")


def _within(option: str, value: float, low: float, high: float, what: str) -> None:
    if not low <= value <= high:
        raise _refused(option, value, f"{what}, from {low:g} to {high:g}")


def _refused(option: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-004", where=f"sandbox simulate {option}", seen=seen, expected=expected, fix="see sandbox simulate --help"
    )
