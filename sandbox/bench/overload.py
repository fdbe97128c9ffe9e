"""What a stack still answers when it is asked for twice what it can do: without a limit on calls in flight, and with one.

Open-loop arrivals, so that who is slow gets no less. First the rate rises, without a limit, until the stack no longer keeps
up: the knee, and the peak of what it answers. Then, in turns, the knee again, twice the peak with each mode, and half the knee
with each, where nobody should notice one. A good answer is whole (no stand-in) and comes within the gateway's own budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from loadtest.lab.arrivals import arrivals
from loadtest.lab.plan import Plan
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.bench import stats
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report

MODES = ("off", "gradient", "vegas")
GOOD_MS = 800.0  # the gateway's own budget
FIRST_RATE, STEP, MOST_STEPS = 10.0, 1.35, 14  # of the rise, requests per second
KEEPS_UP, GIVES_IN = 0.95, 0.7  # share of the requests that get a good answer: at the knee, and where the rise ends
BELOW = 0.5  # of the knee
LEAST_S = 3.0


@dataclass(frozen=True)
class Ended:
    """One request as its client saw it. at_s: when it was meant to go, seconds since the load began. ms: from then to the
    answer. status: gRPC's. whole: no stand-in had part in it."""

    at_s: float
    ms: float
    status: str
    whole: bool


class Side(Protocol):
    """A backend that can be loaded."""

    def mode(self, mode: str) -> None: ...
    def load(self, at_s: Sequence[float], seed: int) -> list[Ended]:
        """Requests at these seconds from now; returns when all have ended."""


@dataclass(frozen=True)
class Point:
    """What came of one load. rate: wanted, per second. good_per_s, good_share: of those that were sent. p50_ms, p99_ms: of
    all that were answered, stand-ins too. shed_share: turned away by a limit."""

    mode: str
    rate: float
    n: int
    good_per_s: float
    good_share: float
    answered_per_s: float
    p50_ms: float
    p99_ms: float
    shed_share: float


def point(mode: str, rate: float, ended: Sequence[Ended], settle_s: float, seconds: float) -> Point:
    """settle_s: of the load's beginning, which does not count."""
    mine = [e for e in ended if e.at_s >= settle_s]
    answered = np.array([e.ms for e in mine if e.status == "OK"])
    good = sum(e.status == "OK" and e.whole and e.ms <= GOOD_MS for e in mine)
    length = seconds - settle_s
    p50, p99 = (stats.quantile(answered.tolist(), q) for q in (0.5, 0.99))
    shed = sum(e.status == "UNAVAILABLE" for e in mine)
    of = max(1, len(mine))
    return Point(mode, rate, len(mine), good / length, good / of, len(answered) / length, p50, p99, shed / of)


def rise(measured: Any, progress: ProgressFn) -> list[Point]:
    """Points without a limit, at rates that grow until most requests get no good answer. measured: mode, rate -> Point.

    Raises WIRE-005 where even the first does not."""
    points: list[Point] = []
    for n in range(MOST_STEPS):
        rate = FIRST_RATE * STEP**n
        progress(f"without a limit: {rate:.0f} requests/s", None)
        points.append(measured("off", rate))
        if points[-1].good_share < GIVES_IN:
            break
    if points[0].good_share < KEEPS_UP:
        raise SandboxError(
            "WIRE-005",
            where="bench overload",
            seen=f"{points[0].good_share:.0%} good answers at {FIRST_RATE:g} requests/s",
            expected=f"at least {KEEPS_UP:.0%}",
            fix="try again on a machine that has less else to do",
        )
    return points


def knee_of(points: Sequence[Point]) -> float:
    """The largest rate up to which each kept up."""
    kept = FIRST_RATE
    for p in points:
        if p.good_share < KEEPS_UP:
            break
        kept = p.rate
    return kept


def measure(
    side: Side, name: str, rounds: int, seconds: float, progress: ProgressFn, **settings: Any
) -> dict[str, Any]:
    """Figures of one backend. seconds: of each load, of which the first third does not count. Raises as `rise`, and CFG-001
    for a number out of range."""
    if not 1 <= rounds <= 20 or not LEAST_S <= seconds <= 600:
        raise SandboxError(
            "CFG-001", where="bench overload", seen=f"{rounds} rounds of {seconds:g} s",
            expected=f"1 to 20 rounds of {LEAST_S:g} to 600 s", fix="leave them out",
        )  # fmt: skip
    seeds = iter(range(1, 10_000))

    def measured(mode: str, rate: float) -> Point:
        side.mode(mode)
        seed = next(seeds)
        ended = side.load(arrivals(Plan(rate=rate, seconds=seconds, seed=seed)).at_s.tolist(), seed)
        return point(mode, rate, ended, seconds / 3, seconds)

    rising = rise(measured, progress)
    knee, peak = knee_of(rising), max(p.good_per_s for p in rising)
    at_knee: list[Point] = []
    twice: dict[str, list[Point]] = {mode: [] for mode in MODES}
    below: dict[str, list[Point]] = {mode: [] for mode in MODES}
    for n in range(rounds):
        progress(f"{name}: round {n + 1} of {rounds}", n / rounds)
        at_knee.append(measured("off", knee))
        for mode in MODES:  # in turns, so that what disturbs one disturbs the others
            twice[mode].append(measured(mode, 2 * peak))
            below[mode].append(measured(mode, BELOW * knee))
    side.mode("off")
    peak = max(peak, stats.median([p.good_per_s for p in at_knee]))
    report = summary(knee, peak, at_knee, twice, below)
    report.conditions = conditions(backend=name, rounds=rounds, seconds=seconds, good_ms=GOOD_MS, **settings)
    points = [*rising, *at_knee, *(p for mode in MODES for p in (*twice[mode], *below[mode]))]
    return {**report.document(), "points": [_shown(p) for p in points]}


def summary(
    knee: float, peak: float, at_knee: list[Point], twice: dict[str, list[Point]], below: dict[str, list[Point]]
) -> Report:
    """Medians over rounds; low and high are the least and the most of them."""
    report = Report()
    knee_p99 = stats.median([p.p99_ms for p in at_knee])
    report.figures |= {"knee_per_s": knee, "peak_goodput_per_s": peak, "knee_p99_ms": knee_p99}
    for mode in MODES:
        goodput = [p.good_per_s for p in twice[mode]]
        p99 = [p.p99_ms for p in twice[mode]]
        report.ratios |= {
            f"goodput_at_2x_vs_peak_{mode}": stats.median(goodput) / peak,
            f"goodput_at_2x_vs_peak_{mode}_low": min(goodput) / peak,
            f"goodput_at_2x_vs_peak_{mode}_high": max(goodput) / peak,
            f"p99_at_2x_vs_knee_{mode}": stats.median(p99) / knee_p99,
        }
        report.figures |= {
            f"goodput_at_2x_{mode}_per_s": stats.median(goodput),
            f"p99_at_2x_{mode}_ms": stats.median(p99),
            f"shed_share_at_2x_{mode}": stats.median([p.shed_share for p in twice[mode]]),
            f"p99_below_the_knee_{mode}_ms": stats.median([p.p99_ms for p in below[mode]]),
            f"shed_share_below_the_knee_{mode}": stats.median([p.shed_share for p in below[mode]]),
        }
    return report


def _shown(p: Point) -> dict[str, Any]:
    return {k: stats.significant(v) if isinstance(v, float) else v for k, v in asdict(p).items()}
