"""One fault on one seam. Whom it hits, how often and since when is decided here only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from faults.base import Fault, dice_of
from faults.scope import Scope
from sandbox.base.clock import Clock
from sandbox.base.streams import uniform
from services.skeleton.seams import Call, Place, Proceed, ProceedSync


@dataclass(frozen=True)
class Armed:
    """share: of the calls in scope, 0..1, rolled once per place (user, session, position), so that all
    attempts of one call share one fate. Where a payload is a list, each of its elements is in scope and rolled
    by itself, and those that are not hit pass first. onset: world seconds since arming -> strength 0..1, a
    factor on the share. since: world seconds at which it was armed. seed: of the rolls.
    """

    fault: Fault
    scope: Scope
    share: float
    onset: Callable[[float], float]
    since: float
    world: Clock
    seed: int

    async def around(self, call: Call, proceed: Proceed) -> Any:
        hit = self._hit(call)
        if not any(hit):
            return await proceed(call)
        if all(hit):
            return await self.fault.around(call, proceed)
        spared = await proceed(_part(call, hit, False))
        return _joined(hit, spared, await self.fault.around(_part(call, hit, True), proceed))

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        hit = self._hit(call)
        if not any(hit):
            return proceed(call)
        if all(hit):
            return self.fault.around_sync(call, proceed)
        spared = proceed(_part(call, hit, False))
        return _joined(hit, spared, self.fault.around_sync(_part(call, hit, True), proceed))

    def _hit(self, call: Call) -> Sequence[bool]:
        """For each element of the call, one where it is about one place."""
        chance = self.share * self.onset(self.world.now() - self.since)
        if chance == 0 or not self.scope.admits(call):
            return (False,)
        if call.places is None:
            return (self._hits(call.place, chance),)
        return [self._hits(place, chance) for place in call.places(call.payload)]

    def _hits(self, place: Place, chance: float) -> bool:
        if not self.scope.covers(place):
            return False
        return chance >= 1 or uniform(self.seed, f"fault/{self.fault.name}", *dice_of(place)) < chance


def _part(call: Call, hit: Sequence[bool], wanted: bool) -> Call:
    of = [element for element, one in zip(call.payload, hit, strict=True) if one == wanted]
    attributes = {**call.attributes, "n": len(of)} if "n" in call.attributes else call.attributes
    return replace(call, payload=of, attributes=attributes)


def _joined(hit: Sequence[bool], spared: Any, changed: Any) -> Any:
    """One list out of two, in the order in which its elements came where none was lost or added."""
    if not isinstance(spared, list) or not isinstance(changed, list):
        return None  # no answer of the point's, and refused as such
    if len(spared) + len(changed) != len(hit) or len(changed) != sum(hit):
        return [*spared, *changed]
    rest, hurt = iter(spared), iter(changed)
    return [next(hurt) if one else next(rest) for one in hit]
