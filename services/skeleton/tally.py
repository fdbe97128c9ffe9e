"""What came of the calls over one edge since its last sample."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.base.rows import Row, row_of


@dataclass
class Tally:
    """Calls of one path that ended since the last sample, and those in progress."""

    durations_ms: list[float] = field(default_factory=list)
    failed: int = 0
    retries: int = 0
    inflight: int = 0

    def sampled(
        self, ts: float, seconds: float, *, caller: str, callee: str, instance: str, path: str, conn_state: str
    ) -> Row | None:
        """A row of rpc_edges, None where nothing was called; the counts begin anew.

        ts: world seconds. seconds: wall, since the last sample. The tally stays the same object: calls in
        progress will end in it.
        """
        if not self.durations_ms and not self.inflight:
            return None
        ordered, self.durations_ms = sorted(self.durations_ms), []
        failed, self.failed = self.failed, 0
        retries, self.retries = self.retries, 0
        n = len(ordered)
        return row_of.rpc_edges(
            ts=ts, caller=caller, callee=callee, instance=instance, path=path, rps=n / seconds,
            err_rate=failed / n if n else 0.0, p50_ms=ordered[n // 2] if n else None,
            p99_ms=ordered[min(n - 1, int(n * 0.99))] if n else None, inflight=self.inflight,
            retries=retries, conn_state=conn_state,
        )  # fmt: skip
