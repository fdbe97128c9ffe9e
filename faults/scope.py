"""Whom a fault may hit. The roll for the share, and since when, are armed.py's."""

from __future__ import annotations

from pydantic import BaseModel, Field

from services.skeleton.seams import Call

BUCKETS = 100


class Scope(BaseModel, extra="forbid", frozen=True):
    """A call is in scope when it meets every condition that is set; None and empty set none.

    callee: peer of an rpc, view, artefact or release key. ops: methods. regions: codes of
    sandbox.base.catalogue.REGIONS. paths: network paths. user_buckets: [low, high) of 0..99, where
    a user's bucket is user_id modulo 100.
    """

    callee: str | None = None
    ops: tuple[str, ...] = ()
    regions: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    user_buckets: tuple[int, int] | None = Field(None)

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
