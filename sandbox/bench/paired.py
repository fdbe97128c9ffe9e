"""One load on both backends: a live run and a virtual one of the same world, rate and seed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.runner import Load
from sandbox.base.progress import ProgressFn
from sandbox.runtime.stack import Stack
from sandbox.virtual.calibration.calibrate import fit, loss, refine
from sandbox.virtual.calibration.observed import Observed, observe, together
from sandbox.virtual.machine.timing import Timing
from sandbox.virtual.stack import VirtualStack

SPEED = 60.0  # world seconds per wall second
RATES = (5.0, 15.0, 25.0)  # requests per wall second: from hardly any waiting to some
REFINEMENTS = 4


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def live(
    world: str, seed: int, parts: Sequence[tuple[float, float]], place: Path, progress: ProgressFn
) -> Iterator[Path]:
    """The lake of a live run under loads of (requests per wall second, wall seconds), one after the other."""
    with Stack.up(world, speed=SPEED, run_dir=place / "live", seed=seed, progress=progress) as stack:
        for rate, wall_s in parts:
            progress(f"live: {rate:g} requests/s for {wall_s:g} s", None)
            load = Load(stack.run, rate=rate, seed=seed, duration_s=wall_s)
            load.start()
            load.wait()
    yield stack.run.lake  # what was on its way is in the lake: the collector stops after its senders


def virtual(world: str, seed: int, rate: float, wall_s: float, place: Path, timing: Timing | None = None) -> Path:
    """The lake of a virtual run. The world and its models have to be there."""
    run_dir = Path(tempfile.mkdtemp(prefix="virtual-", dir=place))
    stack = VirtualStack(world, run_dir, seed=seed, rate_per_s=rate, speed=SPEED, timing=timing)
    stack.advance(stack.began_ts + wall_s * SPEED)
    stack.flush()
    return stack.run.lake


def calibrated(
    seen: Observed, prior: Timing, world: str, seed: int, parts: Sequence[tuple[float, float]], progress: ProgressFn
) -> tuple[Timing, Observed]:
    """Timing fitted to a live run with loads `parts`, and what a virtual run with it looks like. Of all
    refinements the best counts, not the last: corrections can overshoot near saturation."""
    timing = fit(seen, prior)
    best: tuple[float, Timing, Observed] | None = None
    for n in range(REFINEMENTS + 1):
        progress(f"virtual run {n + 1} of {REFINEMENTS + 1}", n / (REFINEMENTS + 1))
        with scratch() as place:
            own = together(observe(virtual(world, seed, rate, wall_s, place, timing), SPEED) for rate, wall_s in parts)
        off = loss(seen, own)
        if best is None or off < best[0]:
            best = off, timing, own
        timing = refine(timing, seen, own)
    assert best is not None, "there is one run at least"
    return best[1], best[2]
