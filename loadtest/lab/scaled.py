"""A capacity plan tried in small: a part of the target on the virtual backend, in the plan's own ratios.

A part that shares nothing with the others behaves as they all do. The largest that the virtual stack can hold is one
gateway's worth. What the plan foretells of it, use of cores and the wait that follows, is held against what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.lab.capacity import Target, Terms
from sandbox.base.instances import MOST, SCALABLE
from sandbox.base.progress import ProgressFn, quiet

LIGHT_PER_S, LIGHT_S = 2.0, 60.0


@dataclass(frozen=True)
class Played:
    """One virtual run. used: service -> cores in use, all its instances together. cpu_ms: of a request, by service."""

    rate_per_s: float
    seconds: float
    n: int
    used: dict[str, float]
    latency_ms: np.ndarray

    @property
    def cpu_ms(self) -> dict[str, float]:
        return {name: cores * self.seconds * 1000 / max(self.n, 1) for name, cores in self.used.items()}


Play = Callable[[float, Mapping[str, int], float], Played]  # of a rate, replicas and wall seconds


def check(
    wanted: Target, planned_ms: Mapping[str, float], terms: Terms, play: Play, seconds: float, progress: ProgressFn = quiet
) -> dict[str, Any]:  # fmt: skip
    """{share_of_target, rate_per_s, replicas, utilisation: {service: {foretold, found}}, latency_ms, cpu_ms, said}. planned_ms:
    the plan's CPU-ms of a request by service, stated beside the virtual backend's own, by which the part is sized."""
    progress("a light run, for what a request costs there", None)
    light = play(LIGHT_PER_S, {}, max(seconds, LIGHT_S))
    rate, replicas = part(wanted.rate_per_s, light.cpu_ms, terms)
    progress(f"{rate:.0f} requests/s for {seconds:g} s, 1/{wanted.rate_per_s / rate:,.0f} of the target", None)
    return told(wanted, planned_ms, light, play(rate, replicas, seconds), replicas)


def part(target_per_s: float, cpu_ms: Mapping[str, float], terms: Terms) -> tuple[float, dict[str, int]]:
    """(rate of the largest part of the target that fits, replicas of what can have several). A service of one
    process is as busy as the terms allow at most; one of several has as many as that takes."""
    fits = {name: terms.busy * 1000 / ms * (MOST if name in SCALABLE else 1) for name, ms in cpu_ms.items() if ms > 0}
    rate = min(target_per_s, *fits.values())
    need = {name: max(1, math.ceil(rate * cpu_ms.get(name, 0.0) / 1000 / terms.busy - 1e-9)) for name in SCALABLE}
    return rate, need


def told(
    wanted: Target, planned_ms: Mapping[str, float], light: Played, full: Played, replicas: Mapping[str, int]
) -> dict[str, Any]:
    """The two runs held against each other. What is foretold of use is linear in the rate; of the mean latency, that of the
    light run and what each service's queue adds, as if its work were exponential (M/M/1, one for each replica)."""
    rate = full.n / full.seconds
    share = {name: rate * ms / 1000 / replicas.get(name, 1) for name, ms in light.cpu_ms.items()}
    found = {name: cores / replicas.get(name, 1) for name, cores in full.used.items()}
    waits = sum(light.cpu_ms[name] * min(u, 0.99) / (1 - min(u, 0.99)) for name, u in share.items() if name in _ON_PATH)
    foretold = float(light.latency_ms.mean()) + waits
    mean = float(full.latency_ms.mean()) if full.n else math.nan
    worst = max(share, key=lambda name: abs(found.get(name, 0.0) - share[name]))
    virtual_ms, plan_ms = sum(light.cpu_ms.values()), sum(planned_ms.values())
    return {
        "share_of_target": rate / wanted.rate_per_s,
        "rate_per_s": rate,
        "requests": full.n,
        "replicas": dict(replicas),
        "utilisation": {name: {"foretold": share[name], "found": found.get(name, 0.0)} for name in sorted(share)},
        "latency_ms": {
            "light": _percentiles(light.latency_ms), "full": _percentiles(full.latency_ms), "foretold_mean": foretold, "found_mean": mean,
        },
        "cpu_ms": {"plan": plan_ms, "virtual": virtual_ms},
        "said": [
            f"1/{wanted.rate_per_s / rate:,.0f} of the target, {rate:.0f} requests/s, on {sum(replicas.values())} replicas of "
            f"{', '.join(replicas)}: the use of {worst} differs most, {found.get(worst, 0.0):.0%} where {share[worst]:.0%} was foretold",
            f"mean latency {mean:.1f} ms where {foretold:.1f} ms was foretold ({mean / foretold - 1:+.0%}); p99 "
            f"{np.quantile(full.latency_ms, 0.99):.1f} ms, of a light load {np.quantile(light.latency_ms, 0.99):.1f} ms",
            f"a request costs {virtual_ms:.1f} CPU-ms on the virtual backend and {plan_ms:.1f} in the plan: what was measured holds idle "
            "work, telemetry and wake-ups besides, so the part is sized by the former and the plan by the latter",
        ],
    }  # fmt: skip


_ON_PATH = ("gateway", "features", "retrieval", "model", "ranking", "rules", "redis")  # a user waits for these


def _percentiles(values: np.ndarray) -> dict[str, float] | None:
    return {str(p): float(np.percentile(values, p)) for p in (50, 90, 99)} if len(values) else None
