"""What a load run came to, as one document. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loadtest.lab.arrivals import arrivals, gaps_p
from loadtest.lab.closed import asked, callers
from loadtest.lab.histogram import Histogram
from loadtest.lab.ledger import OK, Requests
from loadtest.lab.plan import Plan
from loadtest.lab.saturation import Machine, cost, resources, saturated
from loadtest.lab.telemetry import Seen

SERIES_POINTS = 600  # at most, however long a run was


@dataclass(frozen=True)
class Run:
    """One load run. plan: None where the world's own visits came. seconds: for how long it was offered, wall. machine:
    None where nobody measured it. summary: of what users did (`loadtest.summary`). interrupted: it was ended early.
    acknowledged: ids of what users told and the stack took in."""

    plan: Plan | None
    seconds: float
    requests: Requests
    seen: Seen
    machine: Machine | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    acknowledged: list[str] = field(default_factory=list)


def document(run: Run) -> dict[str, Any]:
    """All figures, units last. percentiles_ms: of answered requests, from their intended start. sent_percentiles_ms:
    from the actual send. closed_loop_percentiles_ms: of those that as many callers as it takes, each waiting for its
    answer, would have made, from the send. in_flight: requests under way on the average."""
    requests, ok = run.requests, run.requests.only(run.requests.ok)
    late = Histogram.of(requests.lateness_ms).percentiles_ms([50, 99, 99.9]) or {}
    names, counts = np.unique(requests.error[~requests.ok], return_counts=True)
    used = _resources(run, late.get("99", 0.0))
    n = len(requests)
    return {
        **run.summary,
        "shape": "visits" if run.plan is None else run.plan.shape,
        "seconds": run.seconds,
        "interrupted": run.interrupted,
        **_counts(run, n, len(ok)),
        "errors": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "fallback_share": float(ok.fallback.mean()) if len(ok) else None,
        "percentiles_ms": Histogram.of(ok.latency_ms).percentiles_ms(),
        "sent_percentiles_ms": Histogram.of(ok.service_ms).percentiles_ms(),
        **_closed(requests),
        "failed_percentiles_ms": Histogram.of(requests.only(~requests.ok).latency_ms).percentiles_ms(),
        "in_flight": float((requests.done_s - requests.started_s).sum()) / run.seconds if n else 0.0,
        "generator_lateness_p99_ms": late.get("99"),
        "generator": {
            "lateness_ms": late or None,
            "cpu_ms_per_request": run.machine.generator * run.seconds * 1000 / n if run.machine and n else None,
            "gaps_p": _gaps_p(run),
        },
        "by_stage": _percentiles(run.seen.stages),
        "by_segment": _percentiles(run.seen.segments),
        "saturated": saturated(used),
        "resources": [{"resource": r, "used": share, "evidence": said} for r, share, said in used],
        "cost": {**cost(run.seen.processes, n, run.seconds), "redis_bytes": run.seen.redis_bytes},
        "note": run.seen.note,
    }


def fullest(run: Run) -> dict[str, Any]:
    """{resource, evidence} alone: what was used up."""
    late = Histogram.of(run.requests.lateness_ms).percentiles_ms([99]) or {}
    return saturated(_resources(run, late.get("99", 0.0)))


def histograms(run: Run) -> dict[str, str]:
    """Encoded, by name: what can be merged with those of other runs."""
    requests = run.requests
    found = {"latency": requests.only(requests.ok).latency_ms, "service": requests.only(requests.ok).service_ms}
    found |= {
        f"error/{name}": requests.latency_ms[requests.error == name] for name in np.unique(requests.error) if name != OK
    }
    told = {name: Histogram.of(values) for name, values in found.items()}
    told |= {f"stage/{name}": h for name, h in run.seen.stages.items()}
    told |= {f"segment/{name}": h for name, h in run.seen.segments.items()}
    return {name: h.encode() for name, h in told.items()}


def series(run: Run) -> list[dict[str, Any]]:
    """By piece of time, of a second or as many as a long run needs: {at_s, offered_per_s, ok_per_s, failed_per_s,
    p50_ms, p99_ms, sent_p99_ms, lateness_ms}; by the intended start."""
    size = max(1.0, float(np.ceil(run.seconds / SERIES_POINTS)))
    rows = []
    for at_s in np.arange(0, run.seconds, size):
        length = min(size, run.seconds - at_s)
        mine = run.requests.between(at_s, at_s + length)
        ok = mine.only(mine.ok)
        rows.append(
            {
                "at_s": float(at_s),
                "offered_per_s": len(mine) / length,
                "ok_per_s": len(ok) / length,
                "failed_per_s": (len(mine) - len(ok)) / length,
                "p50_ms": _quantile(ok.latency_ms, 0.5),
                "p99_ms": _quantile(ok.latency_ms, 0.99),
                "sent_p99_ms": _quantile(ok.service_ms, 0.99),
                "lateness_ms": _quantile(mine.lateness_ms, 0.99),
            }
        )
    return rows


def _counts(run: Run, n: int, n_ok: int) -> dict[str, Any]:
    offered = n
    if run.plan is not None:
        offered = int((arrivals(run.plan).at_s < run.seconds).sum())
    return {
        "offered": max(offered, n),
        "sent": n,
        "ok": n_ok,
        "offered_per_s": max(offered, n) / run.seconds,
        "ok_per_s": n_ok / run.seconds,
    }


def _closed(requests: Requests) -> dict[str, Any]:
    by_start = requests.only(np.argsort(requests.started_s, kind="stable"))
    n_callers = callers(by_start.started_s, by_start.done_s)
    mine = by_start.only(asked(by_start.started_s, by_start.done_s, n_callers))
    return {
        "closed_loop_percentiles_ms": Histogram.of(mine.only(mine.ok).service_ms).percentiles_ms(),
        "closed_loop": {"callers": n_callers, "requests": len(mine), "never_made": len(requests) - len(mine)},
    }


def _resources(run: Run, lateness_ms: float) -> list[tuple[str, float, str]]:
    return [] if run.machine is None else resources(run.machine, run.seen.processes, lateness_ms)


def _gaps_p(run: Run) -> float | None:
    """Of what was really sent, by intended time; None where the plan has no chance in it, or was cut short."""
    if run.plan is None or run.interrupted:
        return None
    p = gaps_p(run.plan, arrivals(run.plan))
    return None if np.isnan(p) else p


def _percentiles(kinds: dict[str, Histogram]) -> dict[str, Any]:
    return {name: {"n": h.count, "percentiles_ms": h.percentiles_ms()} for name, h in kinds.items()}


def _quantile(values: np.ndarray, q: float) -> float | None:
    return float(np.quantile(values, q)) if len(values) else None
