"""The clients of a virtual run: they ask for slates in windows, and send what users did with them."""

from __future__ import annotations

import itertools
from contextlib import suppress

import numpy as np

from loadtest.schedule import Schedule
from loadtest.sessions import Reaction
from sandbox.virtual.breaches import Breaches
from sandbox.virtual.content import Asked, Content
from sandbox.virtual.fabric import CallError, Context, Dice, Fabric, dice
from sandbox.virtual.gateway import Gateway, Served
from sandbox.virtual.handlers import Request
from sandbox.virtual.ledger import LedgerBook
from sandbox.virtual.outbox import Outbox
from sandbox.virtual.store import Store
from sandbox.virtual.users import Finished, Users, Visit
from sandbox.world.behaviour import Behaviour
from services.events.core import Entry
from services.gateway.core import request_id
from services.gateway.stages import UserRows

LOAD = "load"  # the generator of traffic, as a process in which a fault can be armed
LEAST_S = 0.02  # wall seconds between two stops, where an answer takes longer than its user thinks
TIMEOUT_S = 2.0  # as loadtest.clients
SLATE_SIZE = 10


class Clients:
    """seed: of the noise of calls. schedule: of who comes. book: takes what came of everything."""

    def __init__(
        self, fabric: Fabric, content: Content, store: Store, gateway: Gateway, behaviour: Behaviour,
        schedule: Schedule, book: LedgerBook, seed: int,
    ) -> None:  # fmt: skip
        self.fabric, self.content, self.store, self.gateway = fabric, content, store, gateway
        self.loop, self.world, self.seed = fabric.loop, fabric.world, seed
        self.catalogue = catalogue = content.catalogue
        in_group_b: np.ndarray = catalogue.creator_group[catalogue.item_creator] == 1
        self.users = Users(
            behaviour, schedule, book, Breaches(catalogue), in_group_b, self._feedback
        )  # fmt: skip
        self._outbox = Outbox(self.loop, self.world, self._send_feedback)
        self._finished: list[Finished] = []
        self._returns: dict[int, float] = {}  # of requests in flight: when their users ask next
        self._number = itertools.count()

    def go_on(self, end_ts: float) -> None:
        """Lets the world go on to the window's end, or to where somebody could ask again before."""
        now = self.world.now()
        self._admit(self.users.take(end_ts))
        least = min(end_ts, now + LEAST_S * self.world.speed)
        self.loop.run_until(self.world.wall(max(least, min([end_ts, *self._returns.values()]))))
        finished, self._finished = self._finished, []
        self.users.answer(finished)

    # -- asking ----------------------------------------------------------------------------------

    def _admit(self, visits: list[Visit]) -> None:
        """Computes what the visits' requests would be answered, and sends them off."""
        if not visits:
            return
        catalogue, world = self.catalogue, self.world
        now = world.now()
        asked, raw = [], []
        for visit in visits:
            ts = max(now, visit.intended_ts)
            asked.append(Asked(
                visit.user, visit.session, visit.depth + 1, int(catalogue.user_region[visit.user]),
                SLATE_SIZE, bool(catalogue.user_personalised[visit.user]), ts,
            ))  # fmt: skip
            raw.append(self.store.user(visit.user, world.wall(ts), ts))
        rows = [UserRows.of_rows(*of, a.now) for of, a in zip(raw, asked, strict=True)]
        answers = self.content.healthy(asked, rows, self.store.items)
        noise = dice(
            self.seed, "request", np.array([a.user for a in asked]), np.array([a.session for a in asked]),
            np.array([a.depth for a in asked]),
        )  # fmt: skip
        for visit, a, of, row, answer, die in zip(
            visits, asked, raw, rows, answers, noise, strict=True
        ):
            number = next(self._number)
            self._returns[number] = visit.intended_ts + visit.think_s
            request = Request(a, of, row, answer)
            self.loop.at(world.wall(a.now), self._send, number, visit, request, die)

    def _send(self, number: int, visit: Visit, request: Request, die: Dice) -> None:
        asked = request.asked
        if not self.store.still(asked.user, request.raw):  # written since the window began
            raw = self.store.user(asked.user, self.loop.now, asked.now)
            rows = UserRows.of_rows(*raw, asked.now)
            answer = self.content.healthy([asked], [rows], self.store.items)[0]
            request = Request(asked, raw, rows, answer)
        self.loop.spawn(self._ask(number, visit, request, die))

    async def _ask(self, number: int, visit: Visit, request: Request, die: Dice) -> None:
        """One request as its client sees it."""
        loop, asked, world = self.loop, request.asked, self.world
        sent, trace = loop.now, request_id(self.seed, asked.user, asked.session, asked.depth, 1)
        context = Context(
            trace, self.fabric.span(), None, "client", asked.user, asked.session, asked.depth,
            asked.region, False, sent + TIMEOUT_S, die,
        )  # fmt: skip
        task = loop.spawn(self._at_gateway(request, context))
        if await loop.wait(task.done, sent + TIMEOUT_S):
            served: Served | None = task.done.value
        else:
            served, context.given_up = None, True
        rt_ms = (loop.now - sent) * 1000
        del self._returns[number]
        self._finished.append(Finished(
            visit, asked.now, world.now(), rt_ms, served, trace if served else None, asked.region, die,
        ))  # fmt: skip
        if self.fabric.record is not None:
            started = world.began_ts + sent * world.speed
            late_ms = (started - visit.intended_ts) / world.speed * 1000
            self.fabric.record(LOAD, "locust", (
                started, "SlateUser", trace if served else None, visit.intended_ts, started, late_ms, rt_ms,
                served is not None, len(served.items) if served else 0,
            ))  # fmt: skip

    async def _at_gateway(self, request: Request, context: Context) -> Served | None:
        wire_s = self.fabric.seconds(self.fabric.timing.wire["client->gateway"], 0, context.dice)
        await self.loop.sleep_until(self.loop.now + wire_s / 2)
        try:
            served: Served = await self.fabric.serve(
                "gateway", "Recommend", context, lambda c: self.gateway.recommend(request, c), 490
            )
        except CallError:
            return None
        await self.loop.sleep_until(self.loop.now + wire_s / 2)
        return served

    # -- telling what users did ------------------------------------------------------------------

    def _feedback(self, of: Finished, reactions: list[Reaction], over: bool) -> None:
        if of.request_id is not None:
            self._outbox.put(of, reactions, over)

    def _send_feedback(self, entries: list[Entry], of: Finished) -> None:
        first = entries[0]
        context = Context(
            first.request_id, self.fabric.span(), None, "client", first.user, first.session, 0, of.region,
            False, self.loop.now + TIMEOUT_S, of.dice,
        )  # fmt: skip
        self.loop.spawn(self._tell(entries, context))

    async def _tell(self, entries: list[Entry], context: Context) -> None:
        with suppress(CallError):  # lost, as a client loses what it could not send
            await self.fabric.serve(
                "gateway", "LogFeedback", context, lambda c: self.gateway.log_feedback(entries, c),
                92 * len(entries),
            )  # fmt: skip
