"""Whom a fault may hit. The roll for the share, and since when, are armed.py's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from sandbox.base.catalogue import CREATOR_GROUPS, REGIONS
from sandbox.base.features import SEGMENTS
from sandbox.base.instances import every_name, named
from sandbox.base.run import PROCESSES
from services.skeleton.seams import Call, Place

BUCKETS = 100


def _region(value: Any) -> Any:
    """A region's code, from its name or the code itself."""
    if isinstance(value, str) or value not in range(len(REGIONS)):
        if value not in REGIONS:
            raise ValueError(f"{value!r} is none of {', '.join(REGIONS)}")
        return REGIONS.index(value)
    return value


def _one_of(names: tuple[str, ...]) -> BeforeValidator:
    def there(value: Any) -> Any:
        if value not in names:
            raise ValueError(f"{value!r} is none of {', '.join(names)}")
        return value

    return BeforeValidator(there)


Region = Annotated[
    int,
    BeforeValidator(_region),
    WithJsonSchema(
        {"anyOf": [{"enum": list(REGIONS)}, {"type": "integer", "minimum": 0, "maximum": len(REGIONS) - 1}]}
    ),
]
Group = Annotated[str, _one_of(CREATOR_GROUPS), WithJsonSchema({"enum": list(CREATOR_GROUPS)})]
_SEGMENTS = (*SEGMENTS, "new")
Segment = Annotated[str, _one_of(_SEGMENTS), WithJsonSchema({"enum": list(_SEGMENTS)})]
_INSTANCES = tuple(dict.fromkeys((*every_name(), *map(named, PROCESSES))))
Instance = Annotated[str, _one_of(_INSTANCES), WithJsonSchema({"enum": list(_INSTANCES)})]


class Scope(BaseModel, extra="forbid", frozen=True):
    """A call is in scope when it meets every condition that is set; None and empty set none.

    callee: peer of an rpc, view, table or artefact. ops: methods. regions: names of
    sandbox.base.catalogue.REGIONS, or their codes. paths: network paths. user_buckets: [low, high) of
    0..100, where a user's bucket is user_id modulo 100. items: item ids. groups: of their creators. segments:
    of users. surfaces: pages asked for. instances: of the callee on an edge, of the process that writes or is written
    of in a row. What of it can hold at which seam: services.skeleton.points.
    """

    callee: str | None = None
    ops: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    paths: tuple[Literal["a", "b"], ...] = ()
    user_buckets: tuple[int, int] | None = Field(None)
    items: tuple[Annotated[int, Field(ge=0)], ...] = ()
    groups: tuple[Group, ...] = ()
    segments: tuple[Segment, ...] = ()
    surfaces: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()

    @model_validator(mode="after")
    def _not_empty(self) -> Scope:
        if self.user_buckets is not None:
            low, high = self.user_buckets
            if not 0 <= low < high <= BUCKETS:
                raise ValueError(f"user_buckets: from 0 up to {BUCKETS}, the first below the second")
        return self

    def holds(self, call: Call) -> bool:
        """Of a call that is about one place."""
        return self.admits(call) and self.covers(call.place)

    def admits(self, call: Call) -> bool:
        """The conditions on the call itself, whomever it is about."""
        if self.callee is not None and call.peer != self.callee:
            return False
        if self.ops and call.op not in self.ops:
            return False
        return not self.paths or call.path in self.paths

    def covers(self, place: Place) -> bool:
        """The conditions on whom it is about. Who is unknown meets none."""
        if self.user_buckets is not None:
            low, high = self.user_buckets
            if place.user < 0 or not low <= place.user % BUCKETS < high:
                return False
        return (
            (not self.regions or place.region in self.regions)
            and (not self.items or place.item in self.items)
            and (not self.groups or place.group in self.groups)
            and (not self.segments or place.segment in self.segments)
            and (not self.surfaces or place.surface in self.surfaces)
            and (not self.instances or place.instance in self.instances)
        )
