"""Load runs made by hand, for tests."""

from __future__ import annotations

import numpy as np

from loadtest.lab.arrivals import arrivals
from loadtest.lab.ledger import Requests
from loadtest.lab.outcome import Run
from loadtest.lab.plan import Plan
from loadtest.lab.saturation import Machine, Process
from loadtest.lab.telemetry import Seen
from sandbox.base.streams import stream


def requests(
    intended_s: np.ndarray, service_s: np.ndarray | float, late_s: float = 0.0, failed: float = 0.0
) -> Requests:
    """failed: share of the requests, the last ones, that came to nothing."""
    n = len(intended_s)
    started = intended_s + late_s
    error = np.where(np.arange(n) >= n * (1 - failed), "DEADLINE_EXCEEDED", "ok")
    return Requests(intended_s, started, started + service_s, np.zeros(n, np.int8), error, np.zeros(n, bool))


def a_run(rate: float = 50.0, seconds: float = 20.0, scale_ms: float = 20.0, seed: int = 1, failed: float = 0.0) -> Run:
    """Poisson arrivals at a service whose latency is exponential about scale_ms."""
    plan = Plan("poisson", rate=rate, seconds=seconds, seed=seed)
    at_s = arrivals(plan).at_s
    service_s = stream(seed, "test/service").exponential(scale_ms / 1000, len(at_s))
    seen = Seen(
        [Process("model-0", 0.95, run_wait=0.1, rss_mb=200), Process("gateway-0", 0.3, rss_mb=70)],
        cpu=[(s, "model", 0.95) for s in range(int(seconds))], redis_bytes=2_000_000,
    )  # fmt: skip
    return Run(plan, seconds, requests(at_s, service_s, failed=failed), seen, Machine(4, 1.6, 0.2))


def one_server(plan: Plan, per_s: float, timeout_s: float = 2.0) -> Run:
    """The plan's arrivals at a single server that takes them one after the other, in exponential times, per_s on the
    average; who waits longer than timeout_s has failed. A queue of which everything is known (M/M/1)."""
    at_s = arrivals(plan).at_s
    work_s = stream(plan.seed, "test/work").exponential(1 / per_s, len(at_s))
    done = np.empty(len(at_s))
    free = 0.0
    for i, (at, work) in enumerate(zip(at_s.tolist(), work_s.tolist(), strict=True)):
        done[i] = free = max(free, at) + work
    late = done - at_s > timeout_s
    error = np.where(late, "DEADLINE_EXCEEDED", "ok")
    found = Requests(at_s, at_s, np.minimum(done, at_s + timeout_s), np.zeros(len(at_s), np.int8), error, late & False)
    busy = min(0.99, plan.rate / per_s)
    return Run(plan, plan.seconds, found, Seen([Process("model-0", busy)]), Machine(4, busy, 0.1))
