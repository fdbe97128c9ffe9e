"""What users did, on its way to the gateway when its time has come."""

from __future__ import annotations

import math
from collections.abc import Callable

from loadtest.feedback import event_id, sendings
from loadtest.sessions import Reaction
from sandbox.virtual.machine.fabric import Dice
from sandbox.virtual.machine.loop import Loop, World
from sandbox.virtual.people.users import Finished
from services.events.core import Entry


class Outbox:
    """send: (entries of one call, region code of their user, the call's noise).

    What has not happened yet waits on the loop: conversions for hours, all else for minutes. A run that ends
    before never hears of it.
    """

    def __init__(self, loop: Loop, world: World, send: Callable[[list[Entry], int, Dice], None]) -> None:
        self.loop, self.world, self.send = loop, world, send

    def put(self, of: Finished, reactions: list[Reaction]) -> None:
        """The feedback on one answered request: request_id is known, and the next one's time."""
        next_ts = math.inf if of.over else of.visit.intended_ts
        for call in sendings(reactions, of.answered_ts, next_ts, self.world.speed):
            entries = [_entry(of, reactions[n], n) for n in call.numbers]
            self.loop.at(self.world.wall(call.ts), self.send, entries, of.region, of.dice)


def _entry(of: Finished, reaction: Reaction, number: int) -> Entry:
    visit, request = of.visit, of.request_id
    assert request is not None
    return Entry(
        reaction.kind, visit.user, visit.session, of.answered_ts + reaction.after_s,
        (reaction.item_id,), reaction.value, event_id(request, reaction.kind, number), request,
    )  # fmt: skip
