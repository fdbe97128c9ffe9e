"""What users did, on its way to the gateway: at once, or when its time has come."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from loadtest.sessions import Reaction
from sandbox.virtual.loop import Loop, World
from sandbox.virtual.users import Finished
from services.events.core import Entry

AT_ONCE_S = 60.0  # world seconds: what a user does so soon is sent with the answer's other feedback
EVERY_S = 0.2  # wall seconds between two looks at what is due
MOST = 400  # events of one call


class Outbox:
    """send: (entries, the answered request that the first one is about)."""

    def __init__(
        self, loop: Loop, world: World, send: Callable[[list[Entry], Finished], None]
    ) -> None:
        self.loop, self.world, self.send = loop, world, send
        self._later: list[tuple[float, int, Entry, Finished]] = []
        self._n = 0
        self._looking = False

    def put(self, of: Finished, reactions: list[Reaction], over: bool) -> None:
        """The feedback on one answered request (request_id is known). over: the user left."""
        visit, request = of.visit, of.request_id
        assert request is not None
        if over:
            reactions = [*reactions, Reaction(0.0, -1, "leave", 1.0)]
        batch = []
        for n, reaction in enumerate(reactions):
            entry = Entry(
                reaction.kind, visit.user, visit.session, of.answered_ts + reaction.after_s,
                (reaction.item_id,), reaction.value, f"{request[:24]}-{reaction.kind[:3]}-{n}", request,
            )  # fmt: skip
            if reaction.after_s > AT_ONCE_S:
                self._n += 1
                heapq.heappush(self._later, (entry.ts, self._n, entry, of))
            else:
                batch.append(entry)
        if batch:
            self.send(batch, of)
        if self._later and not self._looking:
            self._looking = True
            self._look()

    def _look(self) -> None:
        now, due, about = self.world.now(), list[Entry](), None
        while self._later and self._later[0][0] <= now and len(due) < MOST:
            _, _, entry, of = heapq.heappop(self._later)
            about = about or of
            due.append(entry)
        if about is not None:
            self.send(due, about)
        self.loop.at(self.loop.now + EVERY_S, self._look)
