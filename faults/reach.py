"""Where a fault can be armed, and which parts of scope, share and onset can hold there.

One table for each seam says what its calls carry; what a call does not carry no condition can ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from faults.base import Fault
from faults.onset import Onset
from faults.scope import Scope

PARTS = ("callee", "ops", "regions", "paths", "user_buckets")


@dataclass(frozen=True)
class Reach:
    """parts: of a scope that can hold. share, onset: whether less than all, and other than at once, can
    hold. ends: whether taking it off ends it. why: for what does not hold."""

    parts: tuple[str, ...]
    share: bool = True
    onset: bool = True
    ends: bool = True
    why: str = ""


class Unreachable(NamedTuple):
    """What of a fault's use cannot hold. part: key of a step, dotted. seen, expected: as in errors."""

    part: str
    seen: object
    expected: str


_ONCE = Reach((), share=False, onset=False, ends=False, why="a release happens once, for everybody")
SEAMS = {
    "rpc": Reach(PARTS),
    "write": Reach(("callee", "ops"), why="a batch of writes belongs to many users at once"),
    "read": Reach(("callee", "ops", "regions", "user_buckets"), why="the store has one path"),
    "log": Reach(("callee",), why="a row of telemetry is written for no user"),
    "index": Reach(("ops", "regions", "user_buckets"), why="a search happens inside one process"),
    "model": Reach(("ops", "regions", "user_buckets"), why="a forward pass happens inside one process"),
    "traffic": Reach((), why="arrivals are drawn by the minute, for all users at once"),
    "release": _ONCE,
    "training_log": Reach((), share=False, onset=False, ends=False,
                          why="a log is read once, before the release goes out"),
}  # fmt: skip
STAGES = ("release", "training_log")  # of the offline plane: no process, but a release

# caller -> callee -> the methods that it calls
EDGE_OPS: dict[str, dict[str, tuple[str, ...]]] = {
    "gateway": {
        "features": ("GetUser",), "retrieval": ("Retrieve",), "ranking": ("Rank",), "rules": ("Apply",),
        "events": ("Append", "AppendImpressions"),
    },
    "retrieval": {"model": ("EncodeUser",)},
    "ranking": {"features": ("GetItems",), "model": ("Score",)},
}  # fmt: skip
# (seam, process) -> peer -> operations
_PEERS: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    ("write", "stream"): {"user_session": ("apply",), "user_seen": ("apply",)},
    ("write", "events"): {"events": ("Append",)},
}


def targets(fault: type[Fault]) -> list[str]:
    """Everything that can stand as the target of a step with this fault; empty for stages, whose target is
    the release's."""
    found = []
    for service in fault.services:
        peers = _peers(fault.seam, service)
        found += [f"{service}->{peer}" for peer in peers] if fault.seam == "rpc" else []
        found.append(service)
    return found


def told(fault: type[Fault]) -> str:
    """For people: which parts hold."""
    reach = SEAMS[fault.seam]
    parts = [*reach.parts, *(["share"] if reach.share else []), *(["onset"] if reach.onset else [])]
    if reach.ends:
        parts.append("until_s")
    return ", ".join(parts) or "none"


def document(fault: type[Fault]) -> dict[str, Any]:
    """`Fault.describe`, and where it can be armed and what holds there."""
    reach = SEAMS[fault.seam]
    return {
        **fault.describe(),
        "targets": targets(fault), "stage": fault.seam if fault.seam in STAGES else None,
        "needs": list(fault.needs), "scope": list(reach.parts), "share": reach.share,
        "onset": reach.onset, "until_s": reach.ends, "why_not": reach.why,
    }  # fmt: skip


def place(fault: type[Fault]) -> str:
    """For people: where it is armed."""
    if fault.seam in STAGES:
        needs = f" that brings {' and '.join(fault.needs)}" if fault.needs else ""
        return f"a release{needs}" if fault.seam == "release" else "a release that retrains"
    return ", ".join(targets(fault))


def unreachable(
    fault: type[Fault], target: str, scope: Scope, share: float, onset: Onset, until_s: float | None = None
) -> Iterator[Unreachable]:  # fmt: skip
    """All that cannot hold where the fault is armed. target: a process, `caller->callee` on an edge."""
    reach = SEAMS[fault.seam]
    where = f"at {fault.seam}: {reach.why}" if reach.why else f"at {fault.seam}"
    if fault.seam not in STAGES:
        yield from _target(fault, target)
    for part in PARTS:
        value = getattr(scope, part)
        if value and part not in reach.parts:
            yield Unreachable(f"scope.{part}", value, f"no {part} {where}")
    if share < 1 and not reach.share:
        yield Unreachable("share", share, f"all of it {where}")
    if onset.shape != "step" and not reach.onset:
        yield Unreachable("onset.shape", onset.shape, f"step {where}")
    if until_s is not None and not reach.ends:
        yield Unreachable(
            "until_s", until_s, f"no end by itself {where}; revert the release instead"
        )
    yield from _ops(fault, target, scope)


def _target(fault: type[Fault], target: str) -> Iterator[Unreachable]:
    service, arrow, peer = target.partition("->")
    if fault.services and service not in fault.services:
        yield Unreachable(
            "target", target, f"{fault.name} can be armed in {', '.join(fault.services)} only"
        )
        return
    peers = _peers(fault.seam, service)
    if arrow and peer not in peers:
        there = [f"{service}->{name}" for name in peers] or [service]
        yield Unreachable("target", target, f"one of {', '.join(there)}")


def _ops(fault: type[Fault], target: str, scope: Scope) -> Iterator[Unreachable]:
    service, _, peer = target.partition("->")
    peers = _peers(fault.seam, service)
    if scope.callee is not None and "->" in target and scope.callee != peer:
        yield Unreachable("scope.callee", scope.callee, f"{peer}, as the target says")
    if scope.callee is not None and "->" not in target and peers and scope.callee not in peers:
        yield Unreachable("scope.callee", scope.callee, f"one of {', '.join(peers)}")
        return
    peer = peer or scope.callee or ""
    if peers and peer and peer not in peers:
        return  # said of the target
    there = peers.get(peer, ()) if peer else tuple(op for ops in peers.values() for op in ops)
    for n, op in enumerate(scope.ops):
        if there and op not in there:
            yield Unreachable(f"scope.ops.{n}", op, f"one of {', '.join(there)}")


def _peers(seam: str, service: str) -> dict[str, tuple[str, ...]]:
    return EDGE_OPS.get(service, {}) if seam == "rpc" else _PEERS.get((seam, service), {})
