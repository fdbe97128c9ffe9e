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
