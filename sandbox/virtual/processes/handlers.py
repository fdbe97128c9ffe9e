"""What each service does with one call, in virtual time: its own work, its calls, its telemetry.

The numbers are the cores', and come later (sandbox.virtual.answers.later): from the batch as long as nothing
deviates (`same`), and from where something does by the same functions for this request alone. Work is
counted by the candidates that were asked for: so many are found, but for a slate of a tiny world.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from sandbox.base.config import Config
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, FeatureView, Rows
from sandbox.base.rows import Row, row_of
from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.later import Gathering, Later, known
from sandbox.virtual.answers.request import Answer, Request
from sandbox.virtual.machine.fabric import CallError, Context, Fabric
from sandbox.virtual.processes import sizes, wires
from sandbox.virtual.processes.store import Store
from services.features.core import batches, rows_of
from services.features.fetch import Wanted, fetch_call, fetched, wanted_by
from services.features.server import packed, read_row, served_rows
from services.gateway.stages import VIEWS, Candidates, Ranked, UserRows
from services.ranking.core import Floats
from services.ranking.report import absent_shares, input_rows
from services.retrieval.core import Found
from services.retrieval.server import candidate_rows
from services.rules.core import Slate
from services.rules.server import decision_rows
from services.skeleton.context import lot
from services.skeleton.seams import Call

T = TypeVar("T")
NOTHING: Later[Any] = known(None)
USER_VIEWS: tuple[FeatureView, ...] = (USER_PROFILE, USER_SESSION, USER_SEEN)


def chosen(context: Context, share: float) -> bool:
    """As services.skeleton.context.Context.chosen."""
    return context.sampled or lot(context.trace_id) < share


@dataclass
class Batches:
    """Of one model process, wall seconds. ended: its latest batch; at: when the one that gathers begins."""

    ended: float = float("-inf")
    at: float = float("-inf")


class Handlers:
    """config: in force when a call comes."""

    def __init__(
        self, fabric: Fabric, content: Content, store: Store, gathering: Gathering, config: Callable[[], Config]
    ) -> None:
        self.fabric, self.content, self.store = fabric, content, store
        self.gathering, self.config = gathering, config
        self._batches: defaultdict[str, Batches] = defaultdict(Batches)  # by instance of the model

    def _now(self) -> float:
        return self.fabric.world.now()

    # -- features --------------------------------------------------------------------------------

    async def get_user(self, asked: Request, context: Context) -> UserRows:
        """The user's rows as the gateway unpacks them."""
        fabric, seams = self.fabric, self.fabric.seams["features"]
        await fabric.work("features.GetUser", context)
        if not seams.fetch:
            await self._fetch(context, [view.row_bytes for view in USER_VIEWS])
            if fabric.record is None and not seams.read:
                return self.store.user_rows(asked.user, asked.now)
        profile, session, seen = await self._user_rows(asked.user, USER_VIEWS, asked.now, context)
        return UserRows.of_rows(profile, session, seen, asked.now)

    async def get_rows(self, user: int, views: Sequence[FeatureView], now: float, context: Context) -> list[Rows]:
        """The same of any user and views. now: world seconds."""
        await self.fabric.work("features.GetUser", context)
        if not self.fabric.seams["features"].fetch:
            await self._fetch(context, [view.row_bytes for view in views])
        return await self._user_rows(user, views, now, context)

    async def _user_rows(self, user: int, views: Sequence[FeatureView], read_ts: float, context: Context) -> list[Rows]:
        """One row of each view, through the fetch seam where that is armed and the read seam, logged as it is served."""
        fabric, ids = self.fabric, np.array([user])
        held = dict(zip(VIEWS, self.store.user(user, read_ts), strict=True))
        found = [held[view.name] for view in views]
        if fabric.seams["features"].fetch:
            found = await self._through_fetch("GetUser", [(view, ids) for view in views], found, 1, read_ts, context)
        now = self._now()
        if fabric.seams["features"].read:
            found = [
                await self._through_read(view, "GetUser", ids, rows, context)
                for view, rows in zip(views, found, strict=True)
            ]
        if fabric.record is not None:
            for view, rows in zip(views, found, strict=True):
                self._note_read(view, ids, rows, now, context)
        return found

    async def get_items(
        self, candidates: Later[Candidates], stats: Later[Rows], n: int, context: Context
    ) -> Later[Rows]:
        """Rows of item_stats of n candidates. stats: what the store holds."""
        fabric, now = self.fabric, self._now()
        await fabric.work("features.GetItems", context, n)
        if fabric.seams["features"].fetch:
            asked, found = [(ITEM_STATS, candidates.get().ids)], stats.get()
            (passed,) = await self._through_fetch("GetItems", asked, [found], n, now, context)
            if passed is not found:
                stats = known(passed)
        else:
            await self._fetch(context, [ITEM_STATS.row_bytes] * n)
        if fabric.seams["features"].read:
            ids, held = candidates.get().ids, stats.get()
            passed = await self._through_read(ITEM_STATS, "GetItems", ids, held, context)
            if passed is not held:
                stats = known(passed)
        if fabric.record is not None:
            given = stats
            self.gathering.later(lambda: self._note_read(ITEM_STATS, candidates.get().ids, given.get(), now, context))
        return stats

    async def _through_fetch(
        self, op: str, asked: Wanted, held: Sequence[Rows], n: int, read_ts: float, context: Context
    ) -> list[Rows]:
        """What the armed seam makes of the way to the store. held: what lies there under the ids asked for, n of each
        view counted. read_ts: world seconds. Rows that came through as they were are those of `held` themselves."""
        fabric, rows = self.fabric, dict(zip((view.name for view, _ in asked), held, strict=True))
        ids_of = {view.name: ids for view, ids in asked}

        async def proceed(given: Call) -> dict[str, Rows]:
            wanted = wanted_by(given)
            same = {view.name: np.array_equal(ids, ids_of[view.name]) for view, ids in wanted}
            counted = [(view, n if same[view.name] else len(ids)) for view, ids in wanted]
            await self._fetch(context, [view.row_bytes for view, of in counted for _ in range(of)])
            return {
                view.name: deepcopy(rows[view.name]) if same[view.name] else await self.store.read(view, ids, read_ts)
                for view, ids in wanted
            }

        call = fetch_call(asked, op, context.user, context.session, context.depth, context.region)
        passed = fetched(asked, await fabric.through(fabric.seams["features"].fetch, call, proceed))
        return [
            of if packed(view, came) == packed(view, of) else came
            for (view, _), of, came in zip(asked, held, passed, strict=True)
        ]

    async def _through_read(self, view: FeatureView, op: str, ids: np.ndarray, rows: Rows, context: Context) -> Rows:
        call = Call(
            "read", "features", view.name, op, context.user, context.session, context.depth,
            context.region, payload={"entity_ids": ids, "rows": deepcopy(rows)},
        )  # fmt: skip
        fabric = self.fabric
        passed: Rows = await fabric.through(fabric.seams["features"].read, call, _rows_of)
        # What was changed goes over the wire as anything does, where rows of other sizes are refused.
        sent = packed(view, passed)
        return rows if sent == packed(view, rows) else rows_of(sent)

    async def _fetch(self, context: Context, row_bytes: Sequence[int]) -> None:
        """Round trips to the store for rows of these sizes, one after the other. Raises STORE-001."""
        fabric, loop = self.fabric, self.fabric.loop
        for part in batches(row_bytes, self.config().features.fetch_batch):
            began, status = loop.now, "OK"
            try:
                if began < self.store.down_until:
                    raise CallError("STORE-001")
                await fabric.burst(
                    fabric.processes["redis"], fabric.seconds(fabric.timing.store, len(part), context.dice)
                )
                self.store.n_commands += 1
                self.store.n_reads += len(part)
            except CallError as failure:
                status = failure.status
                raise
            finally:
                if fabric.record is not None:
                    fabric.record("features", "spans", row_of.spans(
                        ts=fabric.world.began_ts + began * fabric.world.speed,
                        trace_id=context.trace_id, span_id=fabric.span(),
                        parent_id=context.span_id, service="features",
                        instance=fabric.handled_by(context, "features").instance, op="MGET", kind="store", peer="redis", dur_ms=(loop.now - began) * 1000,
                        status=status, n_keys=len(part), bytes=sum(part),
                    ))  # fmt: skip
            if context.given_up:
                raise CallError("WIRE-004")

    def _note_read(self, view: FeatureView, ids: np.ndarray, rows: Rows, now: float, context: Context) -> None:
        record = self.fabric.record
        assert record is not None
        record("features", "feature_reads", read_row(view, rows, now, context.trace_id, context.caller))
        if chosen(context, self.config().features.sample_share):
            for row in served_rows(view, ids, rows, now, context.trace_id):
                record("features", "served_features", row)

    # -- retrieval -------------------------------------------------------------------------------

    async def retrieve(
        self, asked: Request, rows: UserRows, answer: Later[Answer] | None, context: Context
    ) -> tuple[Later[Candidates], bool]:
        """The candidates, and whether they are those of the batch. rows: what the gateway has of the user. answer:
        the batch's, None for a request that is none of it."""
        fabric, content, config = self.fabric, self.content, self.config()
        await fabric.work("retrieval.Retrieve", context, share=0.25)
        depth, ann, failed = content.ann_depth(asked), None, False
        given: dict[str, Found | None] | None = None
        searched = False
        if fabric.seams["retrieval"].source:
            given, searched = await self._from_each(asked, rows, context)
        elif depth:
            try:
                ann = await self._ann(asked, rows, depth, context)
                if ann is None and answer is None:
                    ann = content.search(content.encode(asked, rows), depth)
            except CallError as failure:
                failed = True
                fabric.log("retrieval", "warn", "source failed", context, source="ann", code=failure.code)
        await fabric.work("retrieval.Retrieve", context, share=0.75)
        if same := answer is not None and ann is None and not failed and given is None:
            assert answer is not None
            found = answer.then(lambda a: a.found)
            candidates = answer.then(lambda a: a.candidates)
        else:
            both = self.gathering.later(
                lambda: (
                    content.retrieve(asked, rows, ann, failed)
                    if given is None
                    else content.merged(asked, given, False, searched)
                )
            )
            found, candidates = both.then(lambda b: b[0]), both.then(lambda b: b[1])
            if given is not None or fabric.seams["retrieval"].index:
                both.get()  # what cannot be merged fails this call, and not who reads it later
        if fabric.record is not None and chosen(context, config.retrieval.sample_share):
            now = self._now()
            self._note("retrieval", "candidates", lambda: candidate_rows(found.get(), now, context.trace_id))
        return candidates, same

    async def _from_each(
        self, asked: Request, rows: UserRows, context: Context
    ) -> tuple[dict[str, Found | None], bool]:
        """What each source gives through an armed seam, None where it failed; and whether the index was searched."""
        fabric, given, called = self.fabric, dict[str, Found | None](), set[str]()
        for source, n in self.content.asked_of(asked).items():
            call = Call(
                "source", "retrieval", source, "find", context.user, context.session, context.depth,
                context.region, payload=n,
            )  # fmt: skip

            async def proceed(c: Call) -> tuple[np.ndarray, np.ndarray]:
                nearest = await self._of_source(c.peer, asked, rows, c.payload, context)
                called.add(c.peer)
                return nearest.ids, nearest.scores

            try:
                given[source] = Found(*await fabric.through(fabric.seams["retrieval"].source, call, proceed))
            except CallError as failure:
                given[source] = None
                fabric.log("retrieval", "warn", "source failed", context, source=source, code=failure.code)
        return given, "ann" in called

    async def _of_source(self, source: str, asked: Request, rows: UserRows, n: int, context: Context) -> Found:
        content = self.content
        if source == "ann":
            ann = await self._ann(asked, rows, n, context)
            return content.search(content.encode(asked, rows), n) if ann is None else ann
        found = content.plain(source, asked, rows, n)
        if found is None:
            raise CallError("WIRE-005")
        return found

    async def _ann(self, asked: Request, rows: UserRows, depth: int, context: Context) -> Found | None:
        """What the index found where a seam is armed on the way; None: as the batch has it."""
        fabric, content = self.fabric, self.content
        vector: Floats | None = await fabric.call(
            "retrieval", "model", "EncodeUser", self.config().retrieval.model, context,
            lambda inner: self.encode_user(asked, rows, inner), size=sizes.encode_user(len(rows.recent)),
            wire=lambda: wires.EncodeUser(self, asked, rows),
        )  # fmt: skip
        seam = fabric.seams["retrieval"].index
        if vector is None and not seam:
            return None
        if vector is None:
            vector = content.encode(asked, rows)
        if not seam:
            return content.search(vector, depth)
        call = Call(
            "index", "retrieval", content.index_version, "search", context.user, context.session,
            context.depth, context.region, payload=np.array(vector),
        )  # fmt: skip

        async def proceed(c: Call) -> tuple[np.ndarray, np.ndarray]:
            nearest = content.search(c.payload, depth)
            return nearest.ids, nearest.scores

        return Found(*await fabric.through(seam, call, proceed))

    async def encode_user(self, asked: Request, rows: UserRows, context: Context) -> Floats | None:
        """None: as the batch has it. A vector where the model seam is armed."""
        await self.fabric.work("model.EncodeUser", context)
        seam = self.fabric.seams["model"].model
        if not seam:
            return None
        given = self.content.encoder_inputs([asked], [rows])
        call = _model_call("EncodeUser", self.content.encoder_version, given, context)

        async def proceed(c: Call) -> Floats:
            return self.content.encode_raw(*c.payload)

        vectors: Floats = await self.fabric.through(seam, call, proceed)
        return vectors[0]

    # -- ranking and model -----------------------------------------------------------------------

    async def rank(
        self, asked: Request, rows: UserRows, answer: Later[Answer], candidates: Later[Candidates],
        same: bool, context: Context,
    ) -> tuple[Later[Ranked], bool]:  # fmt: skip
        """The ranked candidates, and whether they are those of the batch. same: the candidates are."""
        fabric, content, later = self.fabric, self.content, self.gathering.later
        config, n = self.config(), content.n_wanted(asked)
        await fabric.work("ranking.Rank", context, n, share=0.3)
        if same:
            held = answer.then(lambda a: _there(a.stats))
        else:
            held = later(lambda: self.store.items(candidates.get().ids, asked.now))
        stats: Later[Rows] | None = None
        try:
            stats = await fabric.call(
                "ranking", "features", "GetItems", config.ranking.features, context,
                lambda inner: self.get_items(candidates, held, n, inner), n_keys=n, size=sizes.get_items(n),
                wire=lambda: wires.GetItems(self, candidates, asked.now),
            )  # fmt: skip
        except CallError as failure:
            fabric.log("ranking", "warn", "item features missing", context, code=failure.code)
        same = same and stats is held
        given = NOTHING if stats is None else stats
        await fabric.work("ranking.Rank", context, n, share=0.6)
        if same:
            x = answer.then(lambda a: _there(a.x))
        else:
            x = later(lambda: content.inputs(asked, rows, candidates.get(), given.get()))
        p: Later[Floats | None] = NOTHING
        try:
            changed: Floats | None = await fabric.call(
                "ranking", "model", "Score", config.ranking.model, context,
                lambda inner: self.score(asked, candidates, x, n, inner), n_keys=n, size=sizes.score(n, len(content.loaded.contract.columns)),
                wire=lambda: wires.Score(self, asked, candidates, x),
            )  # fmt: skip
            same = same and changed is None
            if changed is not None:
                p = known(changed)
            elif not same:
                p = later(lambda: content.score(asked, candidates.get(), x.get()))
        except CallError as failure:
            same = False
            fabric.log("ranking", "warn", "model did not score", context, code=failure.code)
        await fabric.work("ranking.Rank", context, n, share=0.1)
        if same:
            ranked = answer.then(lambda a: a.ranked)
        else:
            ranked = later(lambda: content.rank(candidates.get(), given.get(), p.get(), rows))
        if fabric.record is not None and chosen(context, config.ranking.sample_share):
            now = self._now()
            self._note("ranking", "model_inputs", lambda: _model_inputs(
                content, x.get(), given.get(), rows, now, context.trace_id
            ) if ranked.get().model_version else ())  # fmt: skip
        return ranked, same

    async def score(
        self, asked: Request, candidates: Later[Candidates], x: Later[Floats], n: int, context: Context
    ) -> Floats | None:
        """None: what the model makes of the inputs. Its answer where the model seam is armed."""
        fabric, content, loop = self.fabric, self.content, self.fabric.loop
        await fabric.work("model.Score", context)
        began = loop.now
        instance = fabric.handled_by(context, "model").instance
        batches = self._batches[instance]
        await self._join_batch(batches)
        waited_ms = (loop.now - began) * 1000
        await fabric.work("model.forward", context, n)
        batches.ended = loop.now
        if fabric.record is not None:
            fabric.record("model", "spans", row_of.spans(
                ts=fabric.world.began_ts + began * fabric.world.speed, trace_id=context.trace_id,
                span_id=fabric.span(), parent_id=context.span_id, service="model",
                instance=instance, op="forward", kind="internal", peer=content.model_version,
                dur_ms=(loop.now - began) * 1000, queue_ms=waited_ms, status="OK", n_keys=n,
                batch_size=n,
            ))  # fmt: skip
        if not content.scorable:
            raise CallError("MODEL-003")
        seam = fabric.seams["model"].model
        if not seam:
            return None
        given = content.score_inputs(asked, candidates.get(), x.get())
        call = _model_call("Score", content.model_version, given, context)

        async def proceed(c: Call) -> Floats:
            return content.score_raw(*c.payload)

        scored: Floats = await fabric.through(seam, call, proceed)
        return scored

    async def _join_batch(self, batches: Batches) -> None:
        """A job that finds the model busy waits for company, no longer than the configuration says."""
        loop, longest = self.fabric.loop, self.config().model.max_wait_ms / 1000
        if loop.now >= batches.at and loop.now - batches.ended >= longest:
            return
        if loop.now >= batches.at:  # opens the next batch
            batches.at = loop.now + longest
        await loop.sleep_until(batches.at)

    # -- rules -----------------------------------------------------------------------------------

    async def apply_rules(
        self, asked: Request, rows: UserRows, answer: Later[Answer], candidates: Later[Candidates],
        ranked: Later[Ranked], same: bool, context: Context,
    ) -> Later[Slate]:  # fmt: skip
        await self.fabric.work("rules.Apply", context)
        content = self.content
        if same:
            slate = answer.then(lambda a: _there(a.slate))
        else:
            slate = self.gathering.later(lambda: content.apply_rules(asked, rows, candidates.get(), ranked.get()))
        if self.fabric.record is not None:
            version, now = content.rules_version, self._now()
            self._note("rules", "rule_decisions", lambda: decision_rows(
                slate.get(), candidates.get().ids[ranked.get().order], version, now, context.trace_id,
                context.sampled,
            ))  # fmt: skip
        return slate

    def _note(self, service: str, table: str, rows: Callable[[], Iterable[Any]]) -> None:
        """Telemetry of what is not computed yet."""
        record = self.fabric.record
        assert record is not None

        def write() -> None:
            for row in rows():
                record(service, table, row)

        self.gathering.later(write)


def _model_inputs(
    content: Content, x: Floats, stats: Rows | None, rows: UserRows, now: float, request_id: str
) -> Iterator[Row]:
    absent = absent_shares(
        np.array_equal(rows.profile, USER_PROFILE.default_row),
        np.array_equal(rows.session, USER_SESSION.default_row),
        None if stats is None else stats.status,
    )
    loaded = content.loaded
    return input_rows(
        x, absent, loaded.ranker.config.inputs, loaded.contract, ts=now, request_id=request_id,
        model_version=content.model_version,
    )  # fmt: skip


def _there(value: T | None) -> T:
    """Of an answer of the batch, through which all stages went."""
    assert value is not None
    return value


async def _rows_of(call: Call) -> Rows:
    rows: Rows = call.payload["rows"]
    return rows


def _model_call(op: str, version: str, payload: tuple[Any, ...], context: Context) -> Call:
    return Call(
        "model", "model", version, op, context.user, context.session, context.depth, context.region,
        payload=tuple(map(np.array, payload)),
    )  # fmt: skip
