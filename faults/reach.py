"""Where a fault can be armed, and which parts of scope, share and onset can hold there.

What a call does not carry no condition can ask for: services.skeleton.points says what each carries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from faults.base import Fault
from faults.onset import Onset
from faults.scope import Scope
from sandbox.base.instances import service_of
from services.skeleton.points import PARTS, POINTS, STAGES, Point


class Unreachable(NamedTuple):
    """What of a fault's use cannot hold. part: key of a step, dotted. seen, expected: as in errors."""

    part: str
    seen: object
    expected: str


def targets(fault: type[Fault]) -> list[str]:
    """Everything that can stand as the target of a step with this fault; empty for stages, whose target is
    the release's."""
    found = []
    for service in fault.services:
        peers = POINTS[fault.seam].peers(service)
        found += [f"{service}->{peer}" for peer in peers] if fault.seam == "rpc" else []
        found.append(service)
    return found


def told(fault: type[Fault]) -> str:
    """For people: which parts hold."""
    reach = POINTS[fault.seam]
    parts = [*reach.parts, *(["share"] if reach.share else []), *(["onset"] if reach.onset else [])]
    if reach.ends:
        parts.append("until_s")
    return ", ".join(parts) or "none"


def document(fault: type[Fault]) -> dict[str, Any]:
    """`Fault.describe`, and where it can be armed and what holds there."""
    reach = POINTS[fault.seam]
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
        made_by = POINTS[fault.seam].made_by
        return f"a release with `{made_by}`" if made_by else f"a release{needs}"
    return ", ".join(targets(fault))


def unreachable(
    fault: type[Fault], target: str, scope: Scope, share: float, onset: Onset, until_s: float | None = None
) -> Iterator[Unreachable]:
    """All that cannot hold where the fault is armed. target: a process, `caller->callee` on an edge."""
    reach = POINTS[fault.seam]
    where = f"at {fault.seam}: {reach.why}" if reach.why else f"at {fault.seam}"
    if fault.seam not in STAGES:
        yield from _target(fault, target)
    known, of = _known(reach, target, scope)
    for part in PARTS:
        value = getattr(scope, part)
        if value and part not in reach.parts:
            yield Unreachable(f"scope.{part}", value, f"no {part} {where}")
        elif value and part not in known:
            yield Unreachable(f"scope.{part}", value, f"no {part} {where}; {of} has none")
    if share < 1 and not reach.share:
        yield Unreachable("share", share, f"all of it {where}")
    if onset.shape != "step" and not reach.onset:
        yield Unreachable("onset.shape", onset.shape, f"step {where}")
    if until_s is not None and not reach.ends:
        yield Unreachable("until_s", until_s, f"no end by itself {where}; revert the release instead")
    yield from _ops(fault, target, scope)
    yield from _instances(fault, target, scope)


def _known(point: Point, target: str, scope: Scope) -> tuple[frozenset[str], str]:
    """Parts of a scope that some call at hand carries, and where that is: a peer, else the process."""
    service, _, peer = target.partition("->")
    peer = peer or scope.callee or ""
    peers = [peer] if peer else list(point.peers(service))
    known = [point.knows.get(name, point.parts) for name in peers] or [point.parts]
    return frozenset(("callee", "ops")).union(*known), peer or service


def _target(fault: type[Fault], target: str) -> Iterator[Unreachable]:
    service, arrow, peer = target.partition("->")
    if fault.services and service not in fault.services:
        yield Unreachable("target", target, f"{fault.name} can be armed in {', '.join(fault.services)} only")
        return
    peers = POINTS[fault.seam].peers(service)
    if arrow and peer not in peers:
        there = [f"{service}->{name}" for name in peers] or [service]
        yield Unreachable("target", target, f"one of {', '.join(there)}")


def _ops(fault: type[Fault], target: str, scope: Scope) -> Iterator[Unreachable]:
    service, _, peer = target.partition("->")
    peers = POINTS[fault.seam].peers(service)
    if scope.callee is not None and "->" in target and scope.callee != peer:
        yield Unreachable("scope.callee", scope.callee, f"{peer}, as the target says")
    if scope.callee is not None and "->" not in target and peers and scope.callee not in peers:
        yield Unreachable("scope.callee", scope.callee, f"one of {', '.join(peers)}")
        return
    peer = peer or scope.callee or ""
    if peers and peer and peer not in peers:
        return  # said of the target
    there = POINTS[fault.seam].ops(service, peer or None)
    for n, op in enumerate(scope.ops):
        if there and op not in there:
            yield Unreachable(f"scope.ops.{n}", op, f"one of {', '.join(there)}")


def _instances(fault: type[Fault], target: str, scope: Scope) -> Iterator[Unreachable]:
    """Instances of others than the callees at hand, or than of the callee that is armed."""
    service, _, peer = target.partition("->")
    peer = peer or scope.callee or ""
    callees = [peer] if peer else list(POINTS[fault.seam].peers(service))
    if fault.seam == "handle":
        callees = [service]
    elif fault.seam != "rpc":
        return  # a row may be of any process
    for n, name in enumerate(scope.instances):
        if service_of(name) not in callees:
            yield Unreachable(f"scope.instances.{n}", name, f"an instance of {', '.join(callees)}")
