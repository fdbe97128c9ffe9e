"""What a fault is: one small class that changes one call. All that faults share is the wrapper's (armed.py)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel

from sandbox.base.clock import Clock
from services.skeleton.seams import Call, Place, Proceed, ProceedSync

Draw = Callable[[Place], float]


def dice_of(place: Place) -> tuple[int, ...]:
    """The coordinates of its dice. An unknown user still needs a place of its own: counters are unsigned."""
    of_user = (place.user + 1, place.session, place.position)
    return of_user if place.item < 0 else (*of_user, place.item + 1)


def no_chance(place: Place) -> float:
    """A `Draw` for who knows none."""
    del place
    return 0.0


class FaultParams(BaseModel, extra="forbid", frozen=True):
    """A fault's knobs: each with unit, range and default."""


class Fault:
    """One failure mechanism at one seam.

    name: as in the catalogue. layer: the folder it lies in. seam: a point of services.skeleton.points.
    services: the processes in which it can be armed; empty for stages. at: the stages of the pipeline that it wraps. Subclasses override `around` or, where
    the point is not awaited, `around_sync`; what they leave alone passes. draw: a number 0..1 for a
    place, the same for all attempts of one call and another in every drill: the only dice of a fault.
    """

    name: ClassVar[str]
    layer: ClassVar[str]
    seam: ClassVar[str]
    services: ClassVar[tuple[str, ...]] = ()
    at: ClassVar[tuple[str, ...]] = ()
    moves: ClassVar[str]  # what a learner sees move
    stays: ClassVar[str]  # what does not
    look_alikes: ClassVar[tuple[str, ...]]
    repairs: ClassVar[str]  # what puts it right
    control: ClassVar[bool] = False  # True: harmless on purpose
    needs: ClassVar[tuple[str, ...]] = ()  # settings that the release has to bring, service.setting

    class Params(FaultParams):
        pass

    def __init__(self, params: Any, *, world: Clock, wall: Clock, draw: Draw = no_chance) -> None:
        self.params, self.world, self.wall, self.draw = params, world, wall, draw

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
    def stray(cls, params: Any, service: str) -> str | None:
        """Why it would do nothing with these knobs in that process, as `knob: why`; None when it does something."""
        del params, service
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
