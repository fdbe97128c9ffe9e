"""How alike a live and a virtual run of one load are: click rate, stand-ins, waits, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.base.streams import stream
from sandbox.bench import paired
from sandbox.bench.paired import SPEED
from sandbox.bench.processes import conditions
from sandbox.bench.stats import significant
from sandbox.telemetry.lake import Lake
from sandbox.virtual.calibration.observed import observe
from sandbox.virtual.machine.timing import Timing, load

RATE = 20.0  # requests per wall second
BLOCK_S = 20.0  # wall seconds: neighbours in time are drawn together, as they share what slows them
WARM_UP_S = 20.0  # wall seconds of which neither run's requests count
CALIBRATION_S = 90.0  # wall seconds under load of the run that the timing is fitted to
N_DRAWS = 1_000  # of the bootstrap
BOUNDS = {"ctr_relative": 0.05, "degraded_points": 2.0, "p50_relative": 0.20, "p99_relative": 0.35}
_REQUESTS = """
    SELECT (epoch(r.ts) - (SELECT epoch(min(ts)) FROM requests)) / {speed} AS at_s, l.rt_ms,
           coalesce(r.degraded, true)::INT, coalesce(i.n, 0), coalesce(o.n, 0)
    FROM locust l JOIN requests r USING (request_id)
    LEFT JOIN (SELECT request_id, count(*) AS n FROM impressions GROUP BY 1) i USING (request_id)
    LEFT JOIN (SELECT request_id, count(DISTINCT item_id) AS n FROM outcomes WHERE kind = 'click'
               GROUP BY 1) o USING (request_id)
    ORDER BY at_s, request_id
"""


def requests_of(lake_dir: Path, wall_s: float) -> list[np.ndarray]:
    """The answered requests of a run in blocks of time: float64 [n, 4] each, with the columns wait in
    milliseconds, degraded (0 or 1), items shown, items clicked. wall_s: what came later does not count."""
    lake = Lake(lake_dir, memory_mb=1024)
    try:
        rows = np.array(lake.query(_REQUESTS.format(speed=SPEED)), float).reshape(-1, 5)
    finally:
        lake.close()
    block = ((rows[:, 0] - WARM_UP_S) // BLOCK_S).astype(int)
    return [rows[block == b, 1:] for b in range(max(1, int((wall_s - WARM_UP_S) // BLOCK_S)))]


def differences(live: np.ndarray, virtual: np.ndarray) -> dict[str, float]:
    """Virtual against live, requests as `requests_of` has them. Relative ones: (virtual - live) / live;
    degraded_points: percentage points."""

    def ctr(rows: np.ndarray) -> float:
        return float(rows[:, 3].sum() / max(1.0, rows[:, 2].sum()))

    def relative(a: float, b: float) -> float:
        return b / a - 1 if a else float("nan")

    (p50, p99), (own50, own99) = (np.quantile(rows[:, 0], [0.5, 0.99]) for rows in (live, virtual))
    return {
        "ctr_relative": relative(ctr(live), ctr(virtual)),
        "degraded_points": 100 * float(virtual[:, 1].mean() - live[:, 1].mean()),
        "p50_relative": relative(p50, own50),
        "p99_relative": relative(p99, own99),
    }


def compared(
    live: Sequence[list[np.ndarray]], virtual: Sequence[list[np.ndarray]], seed: int = 1
) -> dict[str, dict[str, float]]:
    """By figure {estimate, low, high}, 95 %. live, virtual: blocks of each seed's run. The interval is a
    bootstrap over seeds, and over blocks within each: one seed says nothing of what seeds differ by.

    Raises CFG-002 when a run has too few requests to be compared.
    """
    least = min(sum(map(len, blocks)) for blocks in (*live, *virtual))
    if least < 100:
        raise SandboxError(
            "CFG-002",
            where="bench parity",
            seen=f"a run with {least} answered requests",
            expected="at least 100",
            fix="ask for more --minutes",
        )
    rng = stream(seed, "parity")

    def drawn(pick: Callable[[int], np.ndarray]) -> dict[str, float]:
        parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for s in pick(len(live)):
            for part, blocks in zip(parts, (live[s], virtual[s]), strict=True):
                part.extend(blocks[b] for b in pick(len(blocks)))
        return differences(np.concatenate(parts[0]), np.concatenate(parts[1]))

    estimate = drawn(np.arange)
    draws = [drawn(lambda n: rng.integers(0, n, n)) for _ in range(N_DRAWS)]
    return {
        name: {
            "estimate": significant(value),
            "low": significant(float(np.nanquantile([d[name] for d in draws], 0.025))),
            "high": significant(float(np.nanquantile([d[name] for d in draws], 0.975))),
        }
        for name, value in estimate.items()
    }


def measure(world: str, minutes: float, seeds: int, timing: Timing | None, progress: ProgressFn) -> dict[str, Any]:
    """figures, their bounds, and whether each estimate is within. timing: None fits one first, to a run
    whose seed is none of the compared ones. Takes about 1.3 * minutes * seeds of wall time.

    Raises CFG-001 for a number out of range, and what a stack raises that does not come up.
    """
    if not 1 <= minutes <= 120 or not 1 <= seeds <= 20:
        raise SandboxError(
            "CFG-001",
            where="bench parity",
            seen=f"{minutes} minutes, {seeds} seeds",
            expected="1 to 120 minutes, 1 to 20 seeds",
            fix="leave them out for 10 and 3",
        )
    wall_s = minutes * 60
    report = conditions(world=world, minutes=minutes, seeds=seeds, rate_per_s=RATE, calibrated=timing is None)
    if timing is None:
        parts = [(rate, CALIBRATION_S / len(paired.RATES)) for rate in paired.RATES]
        with paired.scratch() as place, paired.live(world, 0, parts, place, progress) as lake:
            seen = observe(lake, SPEED)
        timing, _ = paired.calibrated(seen, load(), world, 0, parts, progress)
    live: list[list[np.ndarray]] = []
    virtual: list[list[np.ndarray]] = []
    for seed in range(1, seeds + 1):
        progress(f"seed {seed} of {seeds}", None)
        with paired.scratch() as place:
            with paired.live(world, seed, [(RATE, wall_s)], place, progress) as lake:
                live.append(requests_of(lake, wall_s))
            progress(f"virtual: seed {seed} of {seeds}", None)
            own = paired.virtual(world, seed, RATE, wall_s, place, timing)
            virtual.append(requests_of(own, wall_s))
    figures = compared(live, virtual)
    return {
        "figures": figures,
        "bounds": BOUNDS,
        "within": {name: abs(figures[name]["estimate"]) <= bound for name, bound in BOUNDS.items()},
        "conditions": report,
    }
