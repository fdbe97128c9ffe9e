"""Which resource of a run was used up, told from its telemetry. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FULL = 0.85  # of a resource, from which what waits for it waits noticeably (M/M/1: seven services long)
QUEUED = 0.2  # of a pool's samples with somebody waiting


@dataclass(frozen=True)
class Process:
    """What one process used, on the average over a run. cpu: cores. queued: share of samples in which calls waited for
    its handlers, 0..1. run_wait: seconds a second that its threads were ready and had no core, None where not told.
    throttled: seconds a second that a quota held it. rss_mb: at most."""

    name: str
    cpu: float
    queued: float = 0.0
    run_wait: float | None = None
    throttled: float = 0.0
    rss_mb: float = 0.0


@dataclass(frozen=True)
class Machine:
    """busy: cores in use, all programs together. generator: those of the load generator."""

    cores: int
    busy: float
    generator: float


def resources(machine: Machine, processes: Sequence[Process], lateness_ms_p99: float) -> list[tuple[str, float, str]]:
    """(resource, share used, evidence), the fullest first. A process of Python runs on one core at a time, whatever the
    machine has; one that computes without Python's lock may have more."""
    stack = sum(p.cpu for p in processes)
    others = max(0.0, machine.busy - stack - machine.generator)
    found = [
        (
            "machine cpu",
            machine.busy / machine.cores,
            f"{machine.busy:.2f} of {machine.cores} cores busy: stack {stack:.2f}, generator {machine.generator:.2f}, "
            f"other programs {others:.2f}",
        ),
        (
            "generator cpu",
            min(1.0, machine.generator),
            f"the load generator used {machine.generator:.2f} of one core; 99 % of requests left it within "
            f"{lateness_ms_p99:.1f} ms of their time",
        ),
    ]
    for p in processes:
        waited = "" if p.run_wait is None else f", {p.run_wait:.2f} s a second of its threads' time without a core"
        found.append((f"{p.name} cpu", min(1.0, p.cpu), f"{p.name} used {p.cpu:.2f} of one core{waited}"))
        if p.queued >= QUEUED:
            found.append(
                (
                    f"{p.name} handlers",
                    FULL + (1 - FULL) * p.queued,
                    f"calls waited for a handler in {p.queued:.0%} of samples",
                )
            )
        if p.throttled > 0.05:
            found.append((f"{p.name} quota", FULL + p.throttled, f"held by its quota {p.throttled:.2f} s a second"))
    return sorted(found, key=lambda r: -r[1])


def saturated(found: Sequence[tuple[str, float, str]]) -> dict[str, Any]:
    """{resource, evidence}: the fullest, where it is full; resource None where nothing is."""
    if not found:
        return {"resource": None, "evidence": "no telemetry of the run"}
    name, used, evidence = found[0]
    if used >= FULL:
        return {"resource": name, "evidence": evidence}
    return {"resource": None, "evidence": f"nothing is full; the fullest is {name}, {used:.0%}: {evidence}"}


def cost(processes: Sequence[Process], n: int, seconds: float) -> dict[str, Mapping[str, float]]:
    """{cpu_ms: per request by process, rss_mb: by process}. n: requests; the idle use of a process is among it."""
    per = seconds * 1000 / max(n, 1)
    return {"cpu_ms": {p.name: p.cpu * per for p in processes}, "rss_mb": {p.name: p.rss_mb for p in processes}}
