"""One fault on one seam. Whom it hits, how often and since when is decided here only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from faults.base import Fault
from sandbox.base.clock import Clock
from sandbox.base.streams import uniform
from services.skeleton.seams import Call, Proceed, ProceedSync


@dataclass(frozen=True)
class Armed:
    """share: of the calls in scope, 0..1, rolled once per place (user, session, position), so that all
    attempts of one call share one fate. onset: world seconds since arming -> strength 0..1, a factor
    on the share. since: world seconds at which it was armed. seed: of the rolls.
    """

    fault: Fault
    in_scope: Callable[[Call], bool]
    share: float
    onset: Callable[[float], float]
    since: float
    world: Clock
    seed: int

    async def around(self, call: Call, proceed: Proceed) -> Any:
        return await (self.fault.around(call, proceed) if self._hits(call) else proceed(call))

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        return self.fault.around_sync(call, proceed) if self._hits(call) else proceed(call)

    def _hits(self, call: Call) -> bool:
        strength = self.onset(self.world.now() - self.since)
        if strength == 0 or not self.in_scope(call):
            return False
        chance = self.share * strength
        if chance >= 1:
            return True
        # A user of -1 (unknown) still needs a place of its own: shift by one, counters are unsigned.
        place = (call.user + 1, call.session, call.position)
        return uniform(self.seed, f"fault/{self.fault.name}", *place) < chance
