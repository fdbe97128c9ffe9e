"""The clients of a virtual run: they ask for slates, and send what users did with them.

Users who have got their answers react in one batch, when the first of them has to act on it. Each acts at a
time of its own, whoever else is in the batch. What they do is told once it has happened.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from loadtest.feedback import GATHER_S, LEAD_S
from loadtest.schedule import Schedule
from loadtest.scripts import USER
from sandbox.base.rows import row_of
from sandbox.virtual.answers.request import Request
from sandbox.virtual.machine.fabric import CallError, Context, Dice, Fabric, dice
from sandbox.virtual.people.breaches import Breaches
from sandbox.virtual.people.ledger import LedgerBook
from sandbox.virtual.people.outbox import Outbox
from sandbox.virtual.people.slices import EVERYONE, Slice
from sandbox.virtual.people.users import Finished, Users, Visit
from sandbox.virtual.processes import sizes
from sandbox.virtual.processes.gateway import Gateway, Served
from sandbox.world.behaviour import Behaviour
from services.events.core import Entry
from services.gateway.core import request_id
from services.skeleton.urgency import PROGRAM

LOAD = "load"  # the generator of traffic, as a process in which a fault can be armed
TIMEOUT_S = 2.0  # as loadtest.clients
SLATE_SIZE = 10
PROBED = 1 << 60  # session ids from here on are of probes


class Clients:
    """seed: of the noise of calls. schedule: of who comes. book: takes what came of everything."""

    def __init__(
        self, fabric: Fabric, gateway: Gateway, behaviour: Behaviour, schedule: Schedule,
        book: LedgerBook, seed: int, watched: Slice = EVERYONE,
    ) -> None:  # fmt: skip
        self.fabric, self.gateway, self.seed = fabric, gateway, seed
        self.loop, self.world = fabric.loop, fabric.world
        self.catalogue = catalogue = gateway.handlers.content.catalogue
        in_group_b: np.ndarray = catalogue.creator_group[catalogue.item_creator] == 1
        self.users = Users(
            behaviour,
            schedule,
            book,
            Breaches(catalogue, gateway.handlers.features.withdrawn.since_ts),
            in_group_b,
            seed,
            watched,
        )
        self._outbox = Outbox(self.loop, self.world, self._send_feedback)
        self._probes = 0
        self._answered: list[Finished] = []  # whose users have not reacted yet

    def go_on(self, end_ts: float) -> None:
        """Lets the world go on to that time."""
        for visit in self.users.begin(end_ts):
            self._ask_at(visit)
        self.loop.run_until(self.world.wall(end_ts))

    def settle(self) -> None:
        """Lets everybody react who has an answer: what they did is in the book then."""
        answered, self._answered = self._answered, []
        self.users.answer(answered)

    def probe(self, user: int) -> str:
        """Asks once in a user's name, as somebody who looks into things does; recorded in full.

        Returns the request's id; the answer comes with time.
        """
        self._probes += 1
        session = PROBED + self._probes
        place = (np.array([user]), np.array([session]), np.array([1]))
        asked = self._asked(user, session, 1)
        context = self._context(asked, dice(self.seed, "request", *place)[0])
        context.sampled, context.client = True, PROGRAM
        self.loop.spawn(self._served(asked, context), fails_with=CallError)
        return context.trace_id

    # -- asking ----------------------------------------------------------------------------------

    def _ask_at(self, visit: Visit) -> None:
        self.loop.at(self.world.wall(visit.intended_ts), self._ask, visit)

    def _ask(self, visit: Visit) -> None:
        self.loop.spawn(self._request(visit, self._asked(visit.user, visit.session, visit.depth + 1)))

    def _asked(self, user: int, session: int, depth: int) -> Request:
        region, consent = self.catalogue.user_region[user], self.catalogue.user_personalised[user]
        return Request(user, session, depth, int(region), SLATE_SIZE, bool(consent), self.world.now())

    def _context(self, asked: Request, noise: Dice) -> Context:
        trace = request_id(self.seed, asked.user, asked.session, asked.depth, 1)
        return Context(
            trace, self.fabric.span(), None, "client", asked.user, asked.session, asked.depth,
            asked.region, False, self.loop.now + TIMEOUT_S, noise,
        )  # fmt: skip

    async def _request(self, visit: Visit, asked: Request) -> None:
        """One request as its client sees it."""
        loop, world = self.loop, self.world
        sent, context = loop.now, self._context(asked, visit.dice)
        task = loop.spawn(self._served(asked, context), fails_with=CallError)
        if await loop.wait(task, sent + TIMEOUT_S):
            served: Served | None = None if task.failure is not None else task.value
        else:
            served, context.given_up = None, True
        rt_ms = (loop.now - sent) * 1000
        of = Finished(
            visit, asked.now, world.now(), rt_ms, served, context.trace_id if served else None, asked.region, visit.dice
        )
        self._answered.append(of)
        early_s = visit.think_s / world.speed - LEAD_S
        loop.at(loop.now + min(GATHER_S, max(0.0, early_s)), self._act, of)
        if self.fabric.record is not None:
            self._note(of, visit.intended_ts, world.began_ts + sent * world.speed)

    def _note(self, of: Finished, intended_ts: float, started: float) -> None:
        record, late_ms = self.fabric.record, (started - intended_ts) / self.world.speed * 1000
        assert record is not None
        who = USER if of.visit.script is None else of.visit.script.user_class
        self.gateway.later(lambda: record(LOAD, "locust", row_of.locust(
            ts=started, user_class=who, request_id=of.request_id, intended_ts=intended_ts,
            started_ts=started, wait_ms=late_ms, rt_ms=of.rt_ms, ok=of.served is not None,
            n_items=len(of.items),
        )))  # fmt: skip

    def _act(self, of: Finished) -> None:
        """Its user's feedback goes off as it happens, the first of it now; then comes the next request, or
        the visit is over."""
        if of.reactions is None:
            self.settle()
        assert of.reactions is not None
        if of.request_id is not None:
            self._outbox.put(of, of.reactions)
        if not of.over:
            self._ask_at(of.visit)

    async def ask_once(self, user: int, session: int, noise: Dice) -> tuple[str, Served | None]:
        """A request that belongs to no visit and that nobody reacts to. Its gRPC status, and what was answered."""
        asked = self._asked(user, session, 1)
        context = self._context(asked, noise)
        task = self.loop.spawn(self._served(asked, context), fails_with=CallError)
        if not await self.loop.wait(task, context.until):
            context.given_up = True
            return "DEADLINE_EXCEEDED", None
        if isinstance(task.failure, CallError):
            return task.failure.status, None
        return "OK", task.value

    async def _served(self, asked: Request, context: Context) -> Served:
        wire_s = self.fabric.seconds(self.fabric.timing.wire["client->gateway"], 0, context.dice)
        await self.loop.sleep_until(self.loop.now + wire_s / 2)
        served: Served = await self.fabric.serve(
            "gateway", "Recommend", context, lambda c: self.gateway.recommend(asked, c), sizes.recommend(asked.k),
            lambda c: self.gateway.turned_away(asked, c),
        )  # fmt: skip
        await self.loop.sleep_until(self.loop.now + wire_s / 2)
        return served

    # -- telling what users did ------------------------------------------------------------------

    def _send_feedback(self, entries: list[Entry], region: int, noise: Dice) -> None:
        first = entries[0]
        context = Context(
            first.request_id, self.fabric.span(), None, "client", first.user, first.session, 0, region,
            False, self.loop.now + TIMEOUT_S, noise,
        )  # fmt: skip
        self.loop.spawn(self._tell(entries, context))

    async def _tell(self, entries: list[Entry], context: Context) -> None:
        with suppress(CallError):  # lost, as a client loses what it could not send
            await self.fabric.serve(
                "gateway",
                "LogFeedback",
                context,
                lambda c: self.gateway.log_feedback(entries, c),
                sizes.append(len(entries)),
            )
