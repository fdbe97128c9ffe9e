"""The seam behind the indicators: what the collector makes of a minute, before it is written and judged."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.base.rows import Row
from sandbox.telemetry.alerts import Tick
from services.skeleton.points import COLLECTOR
from services.skeleton.seams import Call, Seam, payload_of


def collected(seam: Seam, tick: Tick, rows: Iterable[Row]) -> tuple[Tick, list[Row]]:
    """Counts and rows of `metrics` as wrappers hand them on. Raises SandboxError, and the minute is lost."""
    if not seam:
        return tick, list(rows)
    call = Call("collect", COLLECTOR, "indicators", "minute", payload=(tick, list(rows)))
    tick, passed = seam.run_sync(call, payload_of)
    return tick, list(passed)
