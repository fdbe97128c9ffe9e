from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, field_validator

from faults.base import Fault, FaultParams
from sandbox.base.indicators import INDICATORS, LATENCIES, judged
from sandbox.base.rows import Row
from sandbox.base.schema import TABLES
from services.skeleton.points import COLLECTOR
from services.skeleton.seams import Call, ProceedSync

_NAME, _LABEL, _VALUE = (TABLES["metrics"].names.index(column) for column in ("name", "label", "value"))


class DeadMetricSilent(Fault):
    """Derived metrics are absent, stand still or are no numbers, and so their alerts cannot fire.

    What is counted anew from the raw tables is right. absent: no row, and nothing to judge. frozen: the minute before
    for ever, also for the alerts. nan: rows without a number, and nothing to judge. Precedent: alerts on series that
    had gone (Prometheus #4264), stale markers that were read as zero (OpenTelemetry collector #26716).
    """

    name = "dead-metric-silent"
    layer = "telemetry"
    seam = "collect"
    services = (COLLECTOR,)
    moves = "rows of some metrics: gone, the same each minute, or no numbers; alerts that should have come"
    stays = "the raw tables; what users get; every other metric"
    look_alikes = ("join-rate-collapse", "trace-sampling-bias", "benign-mix-shift")
    repairs = "restart the collector; alarm on what is absent or stands still; compare a metric with its raw table"

    class Params(FaultParams):
        mode: Literal["absent", "frozen", "nan"] = Field("frozen", description="how the metrics die")
        metrics: tuple[str, ...] = Field(("degraded_share",), min_length=1, description="names of metrics, all labels")

        @field_validator("metrics")
        @classmethod
        def _there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            if unknown := sorted(set(names) - set(INDICATORS)):
                raise ValueError(f"{unknown[0]!r} is none of {', '.join(INDICATORS)}")
            return names

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._last: tuple[Any, list[Row]] | None = None  # the minute that is repeated

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: a Tick, which alerts judge (counts, latency_ms), and the rows of `metrics`."""
        tick, rows = call.payload
        dead = [row for row in rows if row[_NAME] in self.params.metrics]
        told: list[Row] = []
        counts: Mapping[str, Any] = {}
        latency_ms: tuple[float, ...] = ()
        if self.params.mode == "frozen":
            before, dead = self._last = self._last or (tick, dead)
            told, counts, latency_ms = [(tick.ts, *row[1:]) for row in dead], before.counts, before.latency_ms
        elif self.params.mode == "nan":
            told = [(*row[:_VALUE], math.nan) for row in dead]
        unjudged = {judged(row[_NAME], row[_LABEL]) for row in dead}
        judges = {key: counts.get(key) if key in unjudged else n for key, n in tick.counts.items()}
        timed = any(name in self.params.metrics for name in LATENCIES)
        tick = replace(
            tick, counts={key: n for key, n in judges.items() if n is not None},
            latency_ms=latency_ms if timed else tick.latency_ms,
        )  # fmt: skip
        alive = [row for row in rows if row[_NAME] not in self.params.metrics]
        return proceed(replace(call, payload=(tick, [*alive, *told])))
