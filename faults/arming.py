"""From a specification, as a scenario or a control endpoint gives it, to a wrapper for a seam."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, ValidationError

from faults import reach
from faults.armed import Armed
from faults.base import Draw, dice_of
from faults.catalogue import fault_named
from faults.onset import Onset
from faults.scope import Scope
from sandbox.base.clock import Clock
from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniform
from services.skeleton.points import POINTS
from services.skeleton.seams import Place, Seams


class Spec(BaseModel, extra="forbid", frozen=True):
    """One fault to arm. since: world seconds at which it begins; None for when it is armed."""

    fault: str
    params: dict[str, Any] = {}
    scope: Scope = Scope()
    share: float = Field(1.0, ge=0, le=1)
    onset: Onset = Onset()
    seed: int = 0
    since: float | None = None

    def checked(self, where: str = "fault") -> Spec:
        """Itself, its name and knobs known to be right. Raises FLT-001 or FLT-002."""
        params_of(self, where)
        return self


def params_of(spec: Spec, where: str = "fault") -> BaseModel:
    """The typed knobs. Raises FLT-001 for an unknown fault, FLT-002 for a knob unknown or out of range."""
    cls = fault_named(spec.fault)
    try:
        return cls.Params(**spec.params)
    except ValidationError as error:
        first = error.errors()[0]
        knob = ".".join(map(str, first["loc"]))
        knobs = cls.Params.model_json_schema().get("properties", {})
        limits = {k: v for k, v in knobs.get(knob, {}).items() if k not in ("title", "default")}
        raise SandboxError(
            "FLT-002",
            where=f"{where}, params.{knob}",
            seen=first.get("input"),
            expected=str(limits) if limits else f"a knob of {spec.fault}: {sorted(knobs)}",
            fix=f"{first['msg']}; see `sandbox fault list`",
        ) from error


def wrapper(spec: Spec, world: Clock, wall: Clock) -> Armed:
    """The wrapper that `spec` asks for. Raises FLT-001 or FLT-002."""
    kind = fault_named(spec.fault)
    fault = kind(params_of(spec), world=world, wall=wall, draw=_draw(spec))
    since = world.now() if spec.since is None else spec.since
    return Armed(fault, spec.scope, spec.share, spec.onset.strength, since, world, spec.seed)


def _draw(spec: Spec) -> Draw:
    def draw(place: Place) -> float:
        return uniform(spec.seed, f"fault/{spec.fault}/draw", *dice_of(place))

    return draw


def wrapper_for(spec: dict[str, Any], seams: Seams, service: str) -> tuple[str, Armed]:
    """For a process: the name of the seam and the wrapper to put there.

    Raises FLT-001, FLT-002 also for what of scope, share and onset cannot hold there, or FLT-003 when that
    fault cannot be armed in that service.
    """
    try:
        parsed = Spec.model_validate(spec)
    except ValidationError as error:
        first = error.errors()[0]
        raise SandboxError(
            "FLT-002",
            where="fault, " + ".".join(map(str, first["loc"])),
            seen=first.get("input"),
            expected=first["msg"],
            fix="see docs/faults.md for the form of a fault",
        ) from error
    cls = fault_named(parsed.fault)
    if service not in cls.services or service not in POINTS[cls.seam].processes:
        raise SandboxError(
            "FLT-003",
            where=service,
            seen=cls.name,
            expected=f"one of {list(cls.services)}" if cls.services else reach.place(cls),
            fix="arm it in a process where its seam is",
        )
    params = params_of(parsed)
    for part, seen, expected in reach.unreachable(cls, service, parsed.scope, parsed.share, parsed.onset):
        raise SandboxError(
            "FLT-002",
            where=f"fault, {part}",
            seen=seen,
            expected=expected,
            fix=f"see `sandbox fault show {cls.name}` for what holds there",
        )
    if why := cls.idle(params, {}) or cls.stray(params, service):
        raise SandboxError(
            "FLT-002",
            where=f"fault, params of {cls.name}",
            seen=parsed.params,
            expected=why,
            fix=f"choose a value that hurts; see `sandbox fault show {cls.name}`",
        )
    return cls.seam, wrapper(parsed, seams.world, seams.wall)
