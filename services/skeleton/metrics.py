"""Prometheus metrics that every service has, and its /metrics endpoint."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """Calls handled, their latency, and what is in progress. Labels: op and gRPC status."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        labels = {"service": service}
        self._calls = Counter("recsys_calls", "RPCs handled", ["service", "op", "status"], registry=self.registry)
        self._latency = Histogram(
            "recsys_call_seconds",
            "Wall time of handlers",
            ["service", "op"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        inflight = Gauge("recsys_inflight", "RPCs in progress", ["service"], registry=self.registry)
        self.inflight = inflight.labels(**labels)
        limit = Gauge(
            "recsys_concurrency_limit", "RPCs in progress at most, 0 for no limit", ["service"], registry=self.registry
        )
        self.limit = limit.labels(**labels)
        self._shed = Counter(
            "recsys_shed", "RPCs that a limit turned away", ["service", "op", "reason"], registry=self.registry
        )
        self._service = service
        self._bound: dict[tuple[str, str], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def handled(self, op: str, status: str, seconds: float) -> None:
        counter = self._bound.get((op, status))
        if counter is None:  # `labels` costs more than the count: look it up once
            counter = self._bound[op, status] = self._calls.labels(self._service, op, status)
            self._timers.setdefault(op, self._latency.labels(self._service, op))
        counter.inc()
        self._timers[op].observe(seconds)

    def shed(self, op: str, reason: str) -> None:
        self._shed.labels(self._service, op, reason).inc()

    def listen(self, address: str) -> None:
        """Serves /metrics on host:port from a thread of its own."""
        host, port = address.rsplit(":", 1)
        start_http_server(int(port), addr=host, registry=self.registry)
