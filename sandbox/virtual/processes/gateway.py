"""The gateway in virtual time: a request's budget, its stages and their stand-ins, and what follows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from sandbox.base.catalogue import REGIONS
from sandbox.base.config import Config
from sandbox.base.errors import KINDS, SandboxError
from sandbox.base.rows import row_of
from sandbox.virtual.answers.later import Items, Later, known
from sandbox.virtual.answers.request import Request
from sandbox.virtual.machine.fabric import CallError, Context, Fabric
from sandbox.virtual.machine.wire import Wire
from sandbox.virtual.processes import sizes, wires
from sandbox.virtual.processes.handlers import USER_VIEWS, Handlers, chosen
from sandbox.virtual.processes.intake import Append
from services.events.core import IMPRESSIONS, Entry
from services.gateway import core
from services.gateway.consent import PURPOSE, Decisions
from services.gateway.limiter import Limiter
from services.gateway.record import ARM, Record, write_explain
from services.gateway.region import tagged
from services.gateway.stages import Candidates, Ranked, UserRows, dropped_by
from services.rules.core import Slate
from services.skeleton.client import MARGIN_S
from services.skeleton.seams import Seam

T = TypeVar("T")
_PARTS = 5  # of the gateway's own work: before each stage, and for the answer
_CLIENT, _SURFACE = "app", "home"


@dataclass(slots=True)
class Served:
    """What the user got. shown: item ids in display order; degraded: a stand-in answered a stage. personalised: what is
    known of them was used, or might have been."""

    shown: Later[list[int]]
    degraded: Later[bool]
    segment: str
    personalised: bool


@dataclass(slots=True)
class _Made:
    """What came of a request's stages; None where one was not reached, or its stand-in serves."""

    candidates: Later[Candidates] | None = None
    ranked: Later[Ranked] | None = None
    slate: Later[Slate] | None = None
    shown: Later[list[int]] | None = None


@dataclass(frozen=True)
class _Asked:
    """What Record wants to know of the wire's request."""

    user_id: int
    k: int
    client: str = _CLIENT
    surface: str = _SURFACE


class Gateway:
    """append: takes entries of the event stream in, on the events service."""

    def __init__(self, fabric: Fabric, handlers: Handlers, config: Callable[[], Config], append: Append) -> None:
        self.fabric, self.handlers, self.config, self.append = fabric, handlers, config, append
        self.later = handlers.gathering.later
        self.n_regions = int(handlers.content.catalogue.user_region.max(initial=0)) + 1
        self.limiter, self.decisions = Limiter(), Decisions()

    async def recommend(self, asked: Request, context: Context) -> Served:
        """The handler of Recommend. context.until: the client's own deadline."""
        fabric, loop, config = self.fabric, self.fabric.loop, self.config().gateway
        began, made = loop.now, _Made()
        seen = Record(fabric.world.now(), began, (context.until - began) * 1000)
        whole_s = min(seen.deadline_ms, config.deadline_ms) / 1000
        context.until = began + whole_s * (1 - core.ANSWER_SHARE)
        context.sampled = chosen(context, config.explain_share)
        try:
            if seam := fabric.seams["gateway"].region:
                asked = self._tagged(seam, asked, context)
            seen.region, seen.session, seen.depth = REGIONS[asked.region], asked.session, asked.depth
            self.limiter.require(asked.user, seen.ts, config.max_per_minute)
            return await self._answer(asked, context, seen, made)
        except SandboxError as failure:
            seen.status = failure.kind.status
            raise
        finally:
            if fabric.record is not None:
                took_ms = (loop.now - began) * 1000
                self.later(lambda: self._write(asked, context, seen, made, took_ms))

    def _tagged(self, seam: Seam, asked: Request, context: Context) -> Request:
        """With the region that the armed seam makes of the user's home, which stands in where it fails."""
        try:
            context.region = tagged(seam, asked.user, asked.session, asked.depth, asked.region, self.n_regions)
        except SandboxError as failure:
            self.fabric.log("gateway", "warn", "region not tagged", context, code=failure.kind.code)
        return replace(asked, region=context.region)

    def turned_away(self, asked: Request, context: Context) -> None:
        """A request that never came to its handler has its row all the same."""
        if self.fabric.record is not None:
            now = self.fabric.world.now()
            seen = Record(now, self.fabric.loop.now, (context.until - self.fabric.loop.now) * 1000)
            seen.region, seen.session, seen.depth = REGIONS[asked.region], asked.session, asked.depth
            seen.status = KINDS["WIRE-010"].status
            self.later(lambda: self._write(asked, context, seen, _Made(), 0.0))

    def row(self, table: str, values: tuple[Any, ...]) -> None:
        """As services.skeleton.telemetry.Telemetry.row, for the gateway's Record."""
        assert self.fabric.record is not None
        self.fabric.record("gateway", table, values)

    async def _answer(self, asked: Request, context: Context, seen: Record, made: _Made) -> Served:
        handlers, content = self.handlers, self.handlers.content
        asked = await self._personalised(asked, context, seen)
        rows = await self._user_rows(asked, context, seen)
        answer, n = handlers.gathering.answer(asked, rows), content.n_wanted(asked)
        found = await self._stage(
            "retrieval", "Retrieve", context, seen,
            lambda inner: handlers.retrieval.retrieve(asked, rows, answer, inner), None,
            sizes.retrieve(n, len(rows.recent)),
            lambda: wires.Retrieve(handlers.retrieval, asked, rows),
        )  # fmt: skip
        candidates, same = found or (known(content.popular_candidates(asked)), False)
        made.candidates = candidates
        ranking = await self._stage(
            "ranking", "Rank", context, seen,
            lambda inner: handlers.ranking.rank(asked, rows, answer, candidates, same, inner), n, sizes.rank(n),
            lambda: wires.Rank(handlers.ranking, asked, rows, answer, candidates),
        )  # fmt: skip
        ranked, same = ranking or (candidates.then(Ranked.as_retrieved), False)
        made.ranked = ranked
        slate = made.slate = await self._stage(
            "rules", "Apply", context, seen,
            lambda inner: handlers.rules.apply_rules(asked, rows, answer, candidates, ranked, same, inner),
            n, sizes.apply(n, len(rows.seen), asked.k), lambda: wires.Apply(handlers.rules, asked, rows, answer, candidates, ranked, context.sampled),
        )  # fmt: skip
        await self.fabric.work("gateway.Recommend", context, share=1 / _PARTS)
        if slate is not None:
            seen.rules_version = content.rules_version
        elif self.config().gateway.rules_fail == "open":
            seen.fallbacks.discard("rules")
            slate = made.slate = candidates.then(lambda found: _unruled(len(found.ids), asked.k))
        if slate is None:
            shown = self.later(lambda: content.safe_slate(asked).tolist())
        else:
            shown = self.later(lambda: _slate_of(candidates.get(), ranked.get(), slate.get()))
        made.shown = shown
        fell = bool(seen.fallbacks)
        if self.fabric.record is not None:
            now = self.fabric.world.now()
            self.later(lambda: self._note(asked, made, context, now))
        if self.config().gateway.impressions_to_stream:
            self._append_behind(asked, shown, context)
        degraded = self.later(lambda: fell or candidates.get().failed or ranked.get().fell_back)
        return Served(shown, degraded, rows.segment, asked.personalised)

    async def _personalised(self, asked: Request, context: Context, seen: Record) -> Request:
        """With what the gateway makes of the user's consent."""
        config = self.config().gateway
        if config.consent == "copy" and not config.impersonal:
            return asked
        if seen.region in config.impersonal:
            return replace(asked, personalised=False)
        if config.consent == "copy":
            return asked
        seen.consent = self.decisions.kept(asked.user, seen.ts, config)
        if seen.consent is None:
            features, granted = self.handlers.features, None
            edge = config.features.model_copy(update={"deadline_ms": config.consent_wait_ms})
            try:
                granted = (await self.fabric.call(
                    "gateway", "features", "GetConsent", edge, context,
                    lambda inner: features.get_consent(asked.user, inner), size=sizes.get_consent(PURPOSE),
                    wire=lambda: wires.GetConsent(features, asked.user),
                )).granted  # fmt: skip
            except SandboxError as failure:
                self.fabric.log("gateway", "warn", "consent not answered", context, code=failure.kind.code)
            seen.consent = self.decisions.decide(asked.user, granted, self.fabric.world.now(), config)
        return replace(asked, personalised=seen.consent.granted)

    async def _stage(
        self, stage: str, op: str, context: Context, seen: Record,
        handler: Callable[[Context], Awaitable[T]], n_keys: int | None = None, size: int = 0,
        wire: Callable[[], Wire] | None = None,
    ) -> T | None:  # fmt: skip
        """What the stage answers, None when its stand-in has to serve."""
        loop = self.fabric.loop
        await self.fabric.work("gateway.Recommend", context, share=1 / _PARTS)
        began, due = loop.now, context.until
        context.until = began + (due - began) * core.stage_share(stage) + MARGIN_S
        edge = getattr(self.config().gateway, stage)
        try:
            answer: T = await self.fabric.call(
                "gateway", stage, op, edge, context, handler, n_keys=n_keys, size=size, wire=wire
            )
            return answer
        except SandboxError as failure:
            seen.fallbacks.add(stage)
            self.fabric.log("gateway", "warn", "stage fell back", context, stage=stage, code=failure.kind.code)
            return None
        finally:
            context.until = due
            seen.stage_ms[stage] = (loop.now - began) * 1000

    async def _user_rows(self, asked: Request, context: Context, seen: Record) -> UserRows:
        found: UserRows | None = None
        if asked.personalised:
            found = await self._stage(
                "features", "GetUser", context, seen,
                lambda inner: self.handlers.features.get_user(asked, inner), len(USER_VIEWS), sizes.get_user(USER_VIEWS),
                lambda: wires.GetUser(self.handlers.features, asked),
            )  # fmt: skip
        rows = found or UserRows.unknown()
        seen.segment = rows.segment
        seen.profile_age_s, seen.session_age_s = rows.profile_age_s, rows.session_age_s
        return rows

    def _write(self, asked: Request, context: Context, seen: Record, made: _Made, took_ms: float) -> None:
        """The request's own row, once it is known what it was answered."""
        if made.candidates is not None:
            candidates = made.candidates.get()
            if candidates.failed:
                seen.fallbacks.add("retrieval")
            seen.n_candidates = len(candidates.ids)
            seen.encoder_version = candidates.encoder_version
            seen.index_version = candidates.index_version
        if made.ranked is not None:
            ranked = made.ranked.get()
            if ranked.fell_back:
                seen.fallbacks.add("ranking")
            seen.n_ranked = seen.n_candidates if ranked.model_version else 0
            seen.model_version, seen.missing_share = ranked.model_version, ranked.missing_share
        if made.shown is not None:
            seen.n_items = len(made.shown.get())
            seen.payload_bytes = sizes.slate(seen.n_items)
        seen.write(self, _Asked(asked.user, asked.k), context, took_ms)  # type: ignore[arg-type]

    def _note(self, asked: Request, made: _Made, context: Context, now: float) -> None:
        """What was shown, and why, of a request that was answered."""
        record = self.fabric.record
        assert record is not None
        assert made.candidates is not None
        assert made.ranked is not None
        assert made.shown is not None
        candidates, ranked, shown = made.candidates.get(), made.ranked.get(), made.shown.get()
        session, version = str(asked.session), ranked.model_version or None
        if made.slate is None:
            for place, item in enumerate(shown, 1):
                record("gateway", "impressions", row_of.impressions(
                    ts=now, request_id=context.trace_id, session_id=session, user_id=asked.user,
                    item_id=item, position=place, model_rank=None, score=0.0, p_click=None,
                    cand_source="popular", propensity=1.0, randomised=False, arm=ARM,
                    model_version=version,
                ))  # fmt: skip
            return
        slate = made.slate.get()
        at = ranked.order[slate.rows] if slate.rows else np.zeros(0, np.int64)
        names, masks = candidates.names, candidates.masks
        columns = (at.tolist(), ranked.scores[at].tolist(), np.nan_to_num(ranked.p_click[at]).tolist())
        for place, (item, row, score, p, rank, propensity, random) in enumerate(
            zip(shown, *columns, slate.rows, slate.propensity, slate.randomised, strict=True), 1
        ):
            record("gateway", "impressions", row_of.impressions(
                ts=now, request_id=context.trace_id, session_id=session, user_id=asked.user,
                item_id=item, position=place, model_rank=rank + 1 if version else None, score=score,
                p_click=p if version else None, cand_source="+".join(names[masks[row]]),
                propensity=propensity, randomised=random, arm=ARM, model_version=version,
            ))  # fmt: skip
        if context.sampled:
            dropped = dropped_by(
                (row for drop in slate.dropped for row in drop.rows.tolist()),
                (drop.rule for drop in slate.dropped for _ in drop.rows),
            )
            write_explain(self, now, context.trace_id, candidates, ranked, at, dropped)  # type: ignore[arg-type]

    def _append_behind(self, asked: Request, shown: Later[list[int]], context: Context) -> None:
        """Tells the events service what was shown; nobody waits for it."""
        loop, now = self.fabric.loop, self.fabric.world.now()
        entry = Entry(IMPRESSIONS, asked.user, asked.session, now, Items(shown), 1.0, "", context.trace_id)
        quiet = Context(
            context.trace_id, context.span_id, None, "gateway", asked.user, asked.session, context.depth,
            context.region, context.sampled, float("inf"), context.dice, context.at,
        )  # fmt: skip
        loop.spawn(self._tell(entry, quiet, sizes.append_impressions(asked.k)))

    async def _tell(self, entry: Entry, context: Context, size: int) -> None:
        async def handler(inner: Context) -> list[bool]:
            await self.fabric.work("events.AppendImpressions", inner)
            return await self.append("AppendImpressions", [entry], inner)

        def wire() -> Wire:
            return wires.AppendImpressions(self.handlers, self.append, entry)

        try:
            edge = self.config().gateway.events
            await self.fabric.call(
                "gateway", "events", "AppendImpressions", edge, context, handler, size=size, wire=wire
            )
        except CallError as failure:
            self.fabric.log("gateway", "warn", "impressions not appended", context, code=failure.code)

    async def log_feedback(self, entries: list[Entry], context: Context) -> None:
        """The handler of LogFeedback."""

        async def handler(inner: Context) -> list[bool]:
            await self.fabric.work("events.Append", inner)
            return await self.append("Append", entries, inner)

        def wire() -> Wire:
            return wires.Append(self.handlers, self.append, entries)

        await self.fabric.work("gateway.LogFeedback", context)
        edge = self.config().gateway.events
        await self.fabric.call(
            "gateway", "events", "Append", edge, context, handler, size=sizes.append(len(entries)), wire=wire
        )


def _unruled(n: int, k: int) -> Slate:
    """The first places of n ranked candidates, which no rule has seen."""
    rows = list(range(n))[:k]
    return Slate(rows, [1.0] * len(rows), [False] * len(rows))


def _slate_of(candidates: Candidates, ranked: Ranked, slate: Slate) -> list[int]:
    shown: list[int] = candidates.ids[ranked.order[slate.rows]].tolist() if slate.rows else []
    return shown
