"""A load on a virtual stack whose replicas have a core each, and what it used: a capacity plan is held against it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from loadtest.lab.scaled import Played
from loadtest.lab.telemetry import seen
from sandbox.base.config import Config
from sandbox.base.instances import split
from sandbox.virtual.machine import timing as timings
from sandbox.virtual.stack import VirtualStack

SPEED, WARM_S = 60.0, 5.0
CORES = 64.0


def played(world: str, rate: float, replicas: Mapping[str, int], seconds: float, seed: int = 1) -> Played:
    """A run at `rate` requests a wall second, its first WARM_S seconds left out. Raises as `VirtualStack`."""
    config = Config()
    for service, n in replicas.items():
        getattr(config, service).replicas = n
    timing = timings.load().model_copy(update={"cores": CORES})
    with tempfile.TemporaryDirectory(prefix="sandbox-capacity-") as place:
        stack = VirtualStack(world, Path(place), seed=seed, rate_per_s=rate, speed=SPEED, config=config, timing=timing)
        began_ts = stack.began_ts + WARM_S * SPEED
        ended_ts = began_ts + seconds * SPEED
        stack.advance(ended_ts)
        stack.flush()
        found = seen(stack.run.lake, began_ts, ended_ts - 1e-3, SPEED)
        requests = stack.ledger.requests
    mine = (requests.ts >= began_ts) & (requests.ts < ended_ts)
    used: dict[str, float] = {}
    for process in found.processes:
        name, _ = split(process.name)
        used[name] = used.get(name, 0.0) + process.cpu
    return Played(rate, seconds, int(mine.sum()), used, np.asarray(requests.latency_ms[mine]))
