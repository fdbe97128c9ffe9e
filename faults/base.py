"""What a fault is: one small class that changes one call. All that faults share is the wrapper's (armed.py)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel

from sandbox.base.clock import Clock
from services.skeleton.seams import Call, Proceed, ProceedSync


class FaultParams(BaseModel, extra="forbid", frozen=True):
    """A fault's knobs: each with unit, range and default."""


class Fault:
    """One failure mechanism at one seam.

    name: as in the catalogue. layer: the folder it lies in. seam: a seam of serving (rpc, write, read,
    log, index, model), traffic, or a stage of the offline plane (release, training_log). services: the
    processes in which it can be armed; empty for stages. Subclasses override `around` or, at a synchronous seam
    or stage, `around_sync`; what they leave alone passes.
    """

    name: ClassVar[str]
    layer: ClassVar[str]
    seam: ClassVar[str]
    services: ClassVar[tuple[str, ...]] = ()
    moves: ClassVar[str]  # what a learner sees move
    stays: ClassVar[str]  # what does not
    look_alikes: ClassVar[tuple[str, ...]]
    repairs: ClassVar[str]  # what puts it right
    control: ClassVar[bool] = False  # True: harmless on purpose
    needs: ClassVar[tuple[str, ...]] = ()  # settings that the release has to bring, service.setting

    class Params(FaultParams):
        pass

    def __init__(self, params: Any, *, world: Clock, wall: Clock) -> None:
        self.params, self.world, self.wall = params, world, wall

    async def around(self, call: Call, proceed: Proceed) -> Any:
        return await proceed(call)

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        return proceed(call)

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Why it would do nothing with these knobs on a release of these patches; None when it does
        something. patches: empty where there is no release."""
        del params, patches
        return None

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """The document of `sandbox fault list --json`."""
        schema = cls.Params.model_json_schema()
        return {
            "name": cls.name,
            "layer": cls.layer,
            "seam": cls.seam,
            "control": cls.control,
            "summary": inspect.cleandoc(cls.__doc__ or "").splitlines()[0],
            "knobs": schema.get("properties", {}),
            "moves": cls.moves,
            "stays": cls.stays,
            "look_alikes": list(cls.look_alikes),
            "repairs": cls.repairs,
        }
