"""What load is wanted: a shape, a rate and for how long, checked before anything starts. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from loadtest.lab.measurements import read_csv
from loadtest.lab.shapes import Shape
from sandbox.base.errors import SandboxError

HIGHEST_PER_S = 10_000.0
LONGEST_S = 7 * 86_400.0
MOST = 2_000_000  # arrivals of one plan: they are drawn at once and kept
SHAPES: tuple[str, ...] = get_args(Shape)


@dataclass(frozen=True)
class Plan:
    """rate: arrivals per wall second, at the beginning or on the average. seconds: how long. factor: what ramp, steps,
    spike, flash-crowd and bot-swarm come to, as a multiple of rate. steps: of equal length. swing: of a day, 0..1 of
    its mean. from_share, until_share: of the run, between which a spike, a crowd or a swarm is. item: what the crowd
    comes for, None for one by chance. replayed_s: of the recorded arrivals, seconds since the first."""

    shape: str = "poisson"
    rate: float = 20.0
    seconds: float = 30.0
    seed: int = 1
    factor: float = 4.0
    steps: int = 5
    swing: float = 0.8
    from_share: float = 1 / 3
    until_share: float = 2 / 3
    item: int | None = None
    replayed_s: tuple[float, ...] = ()
    replay_speed: float = 1.0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise _refused("shape", self.shape, f"one of {', '.join(SHAPES)}")
        if not 0 < self.rate <= HIGHEST_PER_S:
            raise _refused("rate", self.rate, f"above 0 and at most {HIGHEST_PER_S:g} per second")
        if not 1 <= self.seconds <= LONGEST_S:
            raise _refused("seconds", self.seconds, "1 second to a week")
        if not 0 <= self.seed < 2**63:
            raise _refused("seed", self.seed, "0 to 2^63 - 1")
        if not 0 < self.factor <= 1_000:
            raise _refused("factor", self.factor, "above 0 and at most 1000")
        if self.shape in ("flash-crowd", "bot-swarm") and self.factor <= 1:
            raise _refused("factor", self.factor, f"above 1: a {self.shape} adds to the usual")
        if not 2 <= self.steps <= 100:
            raise _refused("steps", self.steps, "2 to 100")
        if not 0 <= self.swing <= 1:
            raise _refused("swing", self.swing, "0 to 1")
        if not 0 <= self.from_share < self.until_share <= 1:
            raise _refused("from and until", (self.from_share, self.until_share), "0 <= from < until <= 1")
        if not 1e-3 <= self.replay_speed <= 1e3:
            raise _refused("replay speed", self.replay_speed, "0.001 to 1000")
        if self.shape == "replay" and not self.replayed_s:
            raise _refused("replay", "no recorded arrivals", "a file of them: --arrivals FILE.csv")
        if self.peak_per_s > HIGHEST_PER_S:
            raise _refused("rate at its peak", self.peak_per_s, f"at most {HIGHEST_PER_S:g} per second")
        if self.peak_per_s * self.seconds > MOST:
            raise _refused("arrivals", f"up to {self.peak_per_s * self.seconds:,.0f}", f"at most {MOST:,} in one run")

    @property
    def peak_per_s(self) -> float:
        """The greatest rate that it comes to."""
        if self.shape == "replay":
            return replayed_peak(self.replayed_s) * self.replay_speed
        if self.shape == "diurnal":
            return self.rate * (1 + self.swing)
        return self.rate * max(1.0, self.factor if self.shape not in ("poisson", "constant") else 1.0)

    def at(self, rate: float, seconds: float, seed: int) -> Plan:
        """The same shape at another rate, as a search wants it."""
        return replace(self, rate=rate, seconds=seconds, seed=seed)

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Plan:
        """From `document`, or the same read from JSON."""
        return cls(**{**document, "replayed_s": tuple(document.get("replayed_s", ()))})


def replayed_peak(at_s: tuple[float, ...]) -> float:
    """Arrivals in the fullest second of a recording."""
    counts: dict[int, int] = {}
    for at in at_s:
        counts[int(at)] = counts.get(int(at), 0) + 1
    return float(max(counts.values(), default=0))


def recorded(path: Path) -> tuple[float, ...]:
    """Arrivals of a CSV file with a column t, seconds on any clock, as seconds since the first.

    Raises CFG-002, CFG-003 as `read_csv`, and for a file without arrivals.
    """
    (t,) = read_csv(path, ("t",), MOST)
    if not len(t) or not math.isfinite(t.max() - t.min()):
        raise SandboxError(
            "CFG-003", where=str(path), seen=f"{len(t)} arrivals", expected="at least one", fix="record some first"
        )
    t.sort()
    return tuple((t - t[0]).tolist())


def _refused(what: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-004",
        where=f"load, {what}",
        seen=seen,
        expected=expected,
        fix="correct it; docs/load.md tells what shapes take",
    )
