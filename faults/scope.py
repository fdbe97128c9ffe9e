"""Whom a fault may hit. The roll for the share, and since when, are armed.py's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from sandbox.base.catalogue import REGIONS
from services.skeleton.seams import Call

BUCKETS = 100


def _region(value: Any) -> Any:
    """A region's code, from its name or the code itself."""
    if isinstance(value, str) or value not in range(len(REGIONS)):
        if value not in REGIONS:
            raise ValueError(f"{value!r} is none of {', '.join(REGIONS)}")
        return REGIONS.index(value)
    return value


Region = Annotated[
    int,
    BeforeValidator(_region),
    WithJsonSchema({"anyOf": [{"enum": list(REGIONS)}, {"type": "integer", "minimum": 0, "maximum": len(REGIONS) - 1}]}),
]  # fmt: skip


class Scope(BaseModel, extra="forbid", frozen=True):
    """A call is in scope when it meets every condition that is set; None and empty set none.

    callee: peer of an rpc, view or artefact. ops: methods. regions: names of
    sandbox.base.catalogue.REGIONS, or their codes. paths: network paths. user_buckets: [low, high) of
    0..100, where a user's bucket is user_id modulo 100. What of it can hold at which seam: faults/reach.py.
    """

    callee: str | None = None
    ops: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    paths: tuple[Literal["a", "b"], ...] = ()
    user_buckets: tuple[int, int] | None = Field(None)

    @model_validator(mode="after")
    def _not_empty(self) -> Scope:
        if self.user_buckets is not None:
            low, high = self.user_buckets
            if not 0 <= low < high <= BUCKETS:
                raise ValueError(
                    f"user_buckets: from 0 up to {BUCKETS}, the first below the second"
                )
        return self

    def holds(self, call: Call) -> bool:
        if self.callee is not None and call.peer != self.callee:
            return False
        if self.ops and call.op not in self.ops:
            return False
        if self.regions and call.region not in self.regions:
            return False
        if self.paths and call.path not in self.paths:
            return False
        if self.user_buckets is not None:
            low, high = self.user_buckets
            return call.user >= 0 and low <= call.user % BUCKETS < high
        return True
