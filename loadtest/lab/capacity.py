"""From what one request costs to replicas, cores, memory and money for many. Pure.

A service gets as many replicas as keep each below a share of one core. Queues make the last part of a core useless to
users who wait, so that share is an assumption of the plan, printed with the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.lab.usl import Law
from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms

RESAMPLES = 1_000
BLOCK = 5  # seconds drawn together
HIGHEST_PER_S = 1e9
_UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_SIZES = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9}
_FORM = re.compile(r"(\d+(?:\.\d+)?)([kMB]?)/(s|min|h|d)")


@dataclass(frozen=True)
class Cost:
    """What a measured run used. seconds: [m], requests answered in each. cores: service -> float64 [m], cores in use in
    that second. rss_mb: of one process, at most. redis_bytes: of the store, with the rows of `users`. said: where and
    how it was measured."""

    requests: NDArray[np.float64]
    cores: Mapping[str, NDArray[np.float64]]
    rss_mb: Mapping[str, float]
    redis_bytes: int
    users: int
    said: str

    def cpu_ms(self) -> dict[str, float]:
        """Milliseconds of a core per request, by service; what a service uses without requests is among it."""
        n = max(float(self.requests.sum()), 1.0)
        return {name: float(values.sum()) / n * 1000 for name, values in self.cores.items()}

    def interval(self, seed: int = 1) -> tuple[float, float]:
        """95 % interval of all services together, as shares of the estimate, by drawing blocks of seconds again."""
        blocks = len(self.requests) // BLOCK
        total = sum(self.cores.values())
        if blocks < 4 or not isinstance(total, np.ndarray) or total.sum() <= 0:
            return 0.5, 2.0
        each = np.stack([v[: blocks * BLOCK].reshape(blocks, BLOCK).sum(axis=1) for v in (total, self.requests)])
        rows = (uniforms(seed, "load/capacity", np.arange(RESAMPLES)[:, None], np.arange(blocks)) * blocks).astype(int)
        again = each[0][rows].sum(axis=1) / np.maximum(each[1][rows].sum(axis=1), 1e-9)
        low, high = np.quantile(again, [0.025, 0.975]) / (each[0].sum() / max(each[1].sum(), 1e-9))
        return float(low), float(high)


@dataclass(frozen=True)
class Target:
    """rate_per_s: at the peak. users: whose features the store holds, None for as many as the rate lets expect.
    assumptions: that went into it, in words."""

    text: str
    rate_per_s: float
    users: float | None = None
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """busy: share of a core that a replica may use at the peak. core_hour, gb_hour: in one currency. law: of throughput
    over size, measured; None: replicas do not disturb each other. spare: further share of replicas, for those that are
    being released or are down."""

    busy: float = 0.6
    spare: float = 0.25
    core_hour: float = 0.04
    gb_hour: float = 0.005
    law: Law | None = field(default=None)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("busy", 0.05, 1.0),
            ("spare", 0.0, 3.0),
            ("core_hour", 0.0, 1e3),
            ("gb_hour", 0.0, 1e3),
        ):
            if not low <= getattr(self, name) <= high:
                raise SandboxError(
                    "CFG-004", where=f"capacity, {name}", seen=getattr(self, name), expected=f"{low:g} to {high:g}",
                    fix="correct it",
                )  # fmt: skip


_DAILY = 10.0  # requests of a user on a day that they come
_PEAK = 2.0  # the fullest hour over the mean of the day
_COMES = 0.6  # share of a month's users who come on a day
_PER_USER = f"{_DAILY:g} requests per daily user and day"
_PEAKED = f"the fullest hour has {_PEAK:g} times the day's mean"
PRESETS: dict[str, Target] = {
    "277M-dau": Target("277M-dau", 277e6 * _DAILY / 86_400 * _PEAK, 277e6, ("277 million users a day", _PER_USER, _PEAKED)),
    "500M-dau-50M-h": Target(
        "500M-dau-50M-h", 50e6 / 3_600, 500e6, ("500 million users a day", "50 million requests in the fullest hour")
    ),
    "2B-mau": Target(
        "2B-mau", 2e9 * _COMES * _DAILY / 86_400 * _PEAK, 2e9,
        ("2 billion users a month", f"{_COMES:.0%} of a month's users come on a day", _PER_USER, _PEAKED),
    ),
}  # fmt: skip


def target(text: str) -> Target:
    """A preset by name, or a rate as 50M/h, 200/s. Raises CFG-004 for what is none."""
    if text in PRESETS:
        return PRESETS[text]
    found = _FORM.fullmatch(text.strip())
    rate = float(found[1]) * _SIZES[found[2]] / _UNITS[found[3]] if found else 0.0
    if not 0 < rate <= HIGHEST_PER_S:
        raise SandboxError(
            "CFG-004", where="capacity --target", seen=text,
            expected=f"a rate as 50M/h or 200/s, above 0 and at most {HIGHEST_PER_S:g} a second, or one of {', '.join(PRESETS)}",
            fix="name one of them",
        )  # fmt: skip
    return Target(text, rate, None, (f"{text} is the rate at the peak",))


def capacity(wanted: Target, cost: Cost, terms: Terms, seed: int = 1) -> dict[str, Any]:
    """{target, rate_per_s, replicas: {service: n}, cores, memory_bytes, redis_bytes, cost_per_million, low, high,
    assumptions, ...}. low, high: 95 % of cost_per_million, from the cost of a request alone."""
    low, high = cost.interval(seed)
    plans = [_sized(wanted, cost, terms, factor) for factor in (1.0, low, high)]
    best, least, most = plans
    return {
        "target": wanted.text,
        "rate_per_s": wanted.rate_per_s,
        **best,
        "low": least["cost_per_million"],
        "high": most["cost_per_million"],
        "cores_low": least["cores"],
        "cores_high": most["cores"],
        "cpu_ms_per_request": sum(cost.cpu_ms().values()),
        "assumptions": [*wanted.assumptions, *_assumed(wanted, cost, terms, best)],
    }


def _sized(wanted: Target, cost: Cost, terms: Terms, factor: float) -> dict[str, Any]:
    """The plan where a request costs `factor` times what was measured."""
    each = {name: ms * factor / 1000 for name, ms in cost.cpu_ms().items()}
    needed = {name: wanted.rate_per_s * s / terms.busy for name, s in each.items()}
    cells, stretch = _contended(sum(needed.values()), terms.law)
    replicas = {
        name: cells * max(1, math.ceil(cores * stretch * (1 + terms.spare) / cells - 1e-6))
        for name, cores in sorted(needed.items())
    }
    redis_bytes = int(cost.redis_bytes / max(cost.users, 1) * _users(wanted))
    memory = (
        int(sum(n * cost.rss_mb.get(name, 0.0) * 2**20 for name, n in replicas.items() if name != "redis"))
        + redis_bytes
    )
    cores = sum(replicas.values())
    an_hour = cores * terms.core_hour + memory / 1e9 * terms.gb_hour
    return {
        "replicas": replicas,
        "cores": cores,
        "memory_bytes": memory,
        "redis_bytes": redis_bytes,
        "cost_per_million": an_hour / (wanted.rate_per_s * 3_600 / 1e6),
        "cells": cells,
    }


def _contended(cores: float, law: Law | None) -> tuple[int, float]:
    """(parts that share nothing, how many times the cores it takes within each for contention). Parts: as few as keep
    each at most at eight tenths of the law's peak."""
    if law is None:
        return 1, 1.0
    most = min(law.peak_x, law.limit) / law.gamma * 0.8  # in units of one that nobody disturbs
    cells = max(1, math.ceil(cores / most))
    wanted = cores / cells
    low, high = wanted, min(law.peak_n, wanted * 1e6)
    for _ in range(80):
        middle = (low + high) / 2
        if float(law.at(np.array([max(middle, 1e-9)]))[0]) / law.gamma < wanted:
            low = middle
        else:
            high = middle
    return cells, max(1.0, high / wanted)


def _users(wanted: Target) -> float:
    """Whose rows the store holds."""
    return wanted.users if wanted.users is not None else max(1.0, wanted.rate_per_s / _PEAK * 86_400 / _DAILY)


def _assumed(wanted: Target, cost: Cost, terms: Terms, best: Mapping[str, Any]) -> Sequence[str]:
    contention = "replicas do not disturb each other; a fit over measured sizes says otherwise: --fit"
    if terms.law is not None:
        contention = (
            f"sizes contend as fitted (alpha {terms.law.alpha:.3g}, beta {terms.law.beta:.3g}): {best['cells']} parts that "
            "share nothing"
        )
    users = [] if wanted.users is not None else [f"{_PER_USER}, {_PEAKED}: {_users(wanted):,.0f} users in the store"]
    return [
        f"cost of a request: {cost.said}",
        "a service's work without requests counts as if requests caused it, which at a low measured rate is too much",
        f"a replica is one core, and may use {terms.busy:.0%} of it at the peak",
        f"{terms.spare:.0%} more replicas than that, for releases and losses",
        contention,
        *users,
        f"the store holds {cost.redis_bytes / max(cost.users, 1):,.0f} bytes a user, items among them",
        f"{terms.core_hour:g} a core and hour, {terms.gb_hour:g} a GB and hour, no network, no staff",
        "the interval is that of the measured cost alone; the assumptions are not in it",
    ]
