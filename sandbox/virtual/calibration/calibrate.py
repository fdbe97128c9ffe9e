"""Fitting the timing of the virtual backend to what a live run took: arithmetic on spans, no clock.

The first fit reads medians and widths as if nothing had waited. But spans also hold waits for cores and
for a busy process, which the virtual stack makes by itself: `refine` compares a virtual run of the same
load with the live one, and corrects what differs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.virtual.calibration.observed import Observed, Sample
from sandbox.virtual.machine.timing import Timing, Work

LEAST = 30  # samples of an operation from which it is fitted; else it keeps what it had
_Z10 = 1.2816  # a normal variable's distance from median to 10 % quantile
_FAR = 2.5  # widths above the median from which a value is no longer noise but an interruption
_BEYOND = 0.0062  # share of a normal variable above _FAR
_STEP = (0.6, 1.7)  # least and greatest correction of one refinement
_TAIL_STEP = (0.75, 1.3)  # of how long interruptions last: they hold a core and move all else
_SPREAD = 1.2  # 95 % over 5 % quantile of the keys from which their slope can be told from the base


def fit(seen: Observed, prior: Timing) -> Timing:
    """Timing whose works have the medians and widths of what was seen. What was not seen, or too seldom,
    keeps its value of `prior`. Raises CFG-002 when there are no requests at all."""
    if len(seen.request_ms) < LEAST:
        raise SandboxError(
            "CFG-002",
            where="calibrate",
            seen=f"{len(seen.request_ms)} answered requests",
            expected=f"at least {LEAST}",
            fix="take a run under load, or leave --run out",
        )
    work = {name: _work(seen.work.get(name), was) for name, was in prior.work.items()}
    wire = {name: _work(seen.wire.get(name), was) for name, was in prior.wire.items()}
    share, tail_ms = _tail(seen, work, wire)
    return prior.model_copy(update={
        "work": work, "wire": wire, "store": _work(seen.store, prior.store),
        "client_share": _client_share(seen, prior.client_share),
        "tail_share": share, "tail_ms": tail_ms,
        "restart_s": {**prior.restart_s, **{k: round(s, 2) for k, s in seen.restart_s.items()}},
    })  # fmt: skip


def refine(timing: Timing, live: Observed, virtual: Observed) -> Timing:
    """`timing` with each work scaled by how the medians of a virtual run with it differ from the live ones,
    and with the interruptions as often as live, and so long that the slowest requests are as slow."""

    def scaled(works: Mapping[str, Work], kind: str) -> dict[str, Work]:
        return {
            name: _scaled(of, getattr(live, kind).get(name), getattr(virtual, kind).get(name))
            for name, of in works.items()
        }

    share, _ = _tail(live, timing.work, timing.wire)
    own_share, _ = _tail(virtual, timing.work, timing.wire)
    share = timing.tail_share * _step(share, own_share)
    return timing.model_copy(
        update={
            "work": scaled(timing.work, "work"),
            "wire": scaled(timing.wire, "wire"),
            "store": _scaled(timing.store, live.store, virtual.store),
            "tail_share": _rounded(min(0.2, max(share, 1e-4))),
            "tail_ms": _rounded(timing.tail_ms * _step(_above(live), _above(virtual), _TAIL_STEP)),
        }
    )


def errors(live: Observed, virtual: Observed) -> dict[str, float]:
    """How far the virtual run is from the live one: (virtual - live) / live of the users' waits."""
    found = {}
    for name, q in (("p50_relative", 0.5), ("p99_relative", 0.99)):
        wanted = float(np.quantile(live.request_ms, q))
        found[name] = float(np.quantile(virtual.request_ms, q)) / wanted - 1
    return found


def loss(live: Observed, virtual: Observed) -> float:
    """How bad a fit is: log ratios of median and p99, the median's counting twice. 0 is perfect."""
    found = errors(live, virtual)
    return float(2 * abs(np.log1p(found["p50_relative"])) + abs(np.log1p(found["p99_relative"])))


def _work(sample: Sample | None, was: Work) -> Work:
    """Median and width. The width is that of the lower half, which nothing that waits can stretch."""
    if sample is None or len(sample) < LEAST:
        return was
    base, per_key = _line(sample, was)
    factor = sample.ms / np.maximum(base + per_key * sample.keys, 1e-6)
    centre = float(np.median(factor))
    low = float(np.quantile(factor, 0.1))
    sigma = float(np.clip(np.log(centre / low) / _Z10, 0.05, 1.5)) if low > 0 else was.sigma
    return Work(base_ms=_rounded(base * centre), per_key_us=_rounded(per_key * centre * 1000), sigma=_rounded(sigma))


def _line(sample: Sample, was: Work) -> tuple[float, float]:
    """ms without keys, and ms per key, not negative. Where all have about the same number of keys, the
    split is that of `was`: medians alone can't tell."""
    low, high = np.quantile(sample.keys, [0.05, 0.95])
    if high < _SPREAD * max(low, 1.0):
        known = was.base_ms + was.per_key_us / 1000 * float(np.median(sample.keys))
        scale = float(np.median(sample.ms)) / max(known, 1e-6)
        return was.base_ms * scale, was.per_key_us / 1000 * scale
    few = sample.keys <= np.median([low, high])
    x = [float(sample.keys[part].mean()) for part in (few, ~few)]
    y = [float(np.median(sample.ms[part])) for part in (few, ~few)]
    slope = max(0.0, (y[1] - y[0]) / (x[1] - x[0]))
    return max(0.0, y[0] - slope * x[0]), slope


def _tail(seen: Observed, work: Mapping[str, Work], wire: Mapping[str, Work]) -> tuple[float, float]:
    """Share of bursts far above their noise, and how far on average, milliseconds."""
    far: list[np.ndarray] = []
    n = 0
    for works, samples in ((work, seen.work), (wire, seen.wire)):
        for name, of in works.items():
            if name not in samples:
                continue
            sample = samples[name]
            usual = of.base_ms + of.per_key_us / 1000 * sample.keys
            beyond = sample.ms > usual * np.exp(_FAR * of.sigma)
            far.append((sample.ms - usual)[beyond])
            n += len(sample)
    excess = np.concatenate(far) if far else np.zeros(0)
    if not len(excess):
        return 1e-4, 1.0
    share = max(1e-4, len(excess) / n - _BEYOND)
    return _rounded(min(share, 0.2)), _rounded(float(np.mean(excess)))


def _client_share(seen: Observed, was: float) -> float:
    """From the processor time that one request costs: what is not the services' own work is spent on the
    wire. Needs stretches of different load; else it stays as it was."""
    requests, cpu_s = seen.blocks.T if len(seen.blocks) else (np.zeros(0), np.zeros(0))
    if len(requests) < 6 or np.std(requests) < 0.2 * np.mean(requests):
        return was
    slope, _ = np.polyfit(requests, cpu_s, 1)
    n = len(seen.request_ms)
    own = sum(float(np.median(s.ms)) * len(s) for s in seen.work.values()) / n
    wires = sum(float(np.median(s.ms)) * len(s) for name, s in seen.wire.items() if "client" not in name) / n
    if slope <= 0 or wires <= 0:
        return was
    return _rounded(float(np.clip((slope * 1000 - own) / wires, 0.05, 0.9)))


def _above(seen: Observed) -> float:
    """How far the slowest hundredth of all requests lies above the median, milliseconds."""
    middle, slow = np.quantile(seen.request_ms, [0.5, 0.99])
    return float(slow - middle)


def _scaled(of: Work, live: Sample | None, virtual: Sample | None) -> Work:
    if live is None or virtual is None or min(len(live), len(virtual)) < LEAST:
        return of
    by = _step(float(np.median(live.ms)), float(np.median(virtual.ms)))
    return of.model_copy(update={"base_ms": _rounded(of.base_ms * by), "per_key_us": _rounded(of.per_key_us * by)})


def _step(wanted: float, got: float, within: tuple[float, float] = _STEP) -> float:
    return float(np.clip(wanted / got, *within)) if got > 0 else 1.0


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
