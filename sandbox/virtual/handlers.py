"""What each service does with one call, in virtual time: its own work, its calls, its telemetry.

The numbers are the cores': computed for the whole batch beforehand (`Request.healthy`), and anew for
a request that deviates from it, by the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import (
    ITEM_STATS,
    USER_PROFILE,
    USER_SEEN,
    USER_SESSION,
    FeatureView,
    Rows,
)
from sandbox.virtual import rows as tables
from sandbox.virtual.content import Answer, Asked, Content
from sandbox.virtual.fabric import CallError, Context, Fabric
from sandbox.virtual.store import Store
from services.features.core import batches
from services.features.server import served_rows
from services.gateway.stages import Candidates, Ranked, UserRows
from services.ranking.core import Floats
from services.retrieval.core import Found
from services.retrieval.server import candidate_rows
from services.rules.core import Slate
from services.rules.server import decision_rows
from services.skeleton.context import lot
from services.skeleton.seams import Call

USER_VIEWS: tuple[FeatureView, ...] = (USER_PROFILE, USER_SESSION, USER_SEEN)


@dataclass(slots=True)
class Request:
    """One request on its way. raw: rows of USER_VIEWS as the store held them at its arrival, `rows` what
    the gateway makes of them. healthy: its answer if nothing deviates."""

    asked: Asked
    raw: tuple[Rows, Rows, Rows]
    rows: UserRows
    healthy: Answer


def chosen(context: Context, share: float) -> bool:
    """As services.skeleton.context.Context.chosen."""
    return context.sampled or lot(context.trace_id) < share


class Handlers:
    """config: in force when a call comes."""

    def __init__(
        self, fabric: Fabric, content: Content, store: Store, config: Callable[[], Config]
    ) -> None:
        self.fabric, self.content, self.store, self.config = fabric, content, store, config
        self._batch_ended = float("-inf")  # the model's latest batch, wall seconds
        self._batch_at = float("-inf")  # when the batch that gathers begins

    def _now(self) -> float:
        return self.fabric.world.now()

    # -- features --------------------------------------------------------------------------------

    async def get_user(self, request: Request, context: Context) -> tuple[UserRows, bool]:
        """The user's rows, and whether they are those of the batch."""
        fabric = self.fabric
        await fabric.work("features.GetUser", context)
        await self._fetch(context, len(USER_VIEWS))
        raw, now = request.raw, self._now()
        if fabric.seams["features"].read:
            ids = np.array([request.asked.user])
            raw = (
                await self._through_read(USER_PROFILE, "GetUser", ids, raw[0], context),
                await self._through_read(USER_SESSION, "GetUser", ids, raw[1], context),
                await self._through_read(USER_SEEN, "GetUser", ids, raw[2], context),
            )
        if fabric.record is not None:
            for view, rows in zip(USER_VIEWS, raw, strict=True):
                self._note_read(view, np.array([request.asked.user]), rows, now, context)
        if all(a is b for a, b in zip(raw, request.raw, strict=True)):
            return request.rows, True
        return UserRows.of_rows(*raw, request.asked.now), False

    async def get_items(self, ids: np.ndarray, stats: Rows, context: Context) -> Rows:
        """Rows of item_stats. stats: what the store holds."""
        fabric, now = self.fabric, self._now()
        await fabric.work("features.GetItems", context, len(ids))
        await self._fetch(context, len(ids))
        if fabric.seams["features"].read:
            stats = await self._through_read(ITEM_STATS, "GetItems", ids, stats, context)
        if fabric.record is not None:
            self._note_read(ITEM_STATS, ids, stats, now, context)
        return stats

    async def _through_read(
        self, view: FeatureView, op: str, ids: np.ndarray, rows: Rows, context: Context
    ) -> Rows:
        call = Call(
            "read", "features", view.name, op, context.user, context.session, context.depth,
            context.region, payload={"entity_ids": ids, "rows": rows},
        )  # fmt: skip
        passed: Rows = await self.fabric.seams["features"].read.run(call, _rows_of)
        return passed

    async def _fetch(self, context: Context, n_keys: int) -> None:
        """Round trips to the store, one after the other. Raises STORE-001."""
        fabric, loop = self.fabric, self.fabric.loop
        for part in batches(range(n_keys), self.config().features.fetch_batch):
            began, status = loop.now, "OK"
            try:
                if began < self.store.down_until:
                    raise CallError("STORE-001")
                await fabric.burst("redis", fabric.seconds(fabric.timing.store, len(part), context.dice))  # fmt: skip
                self.store.n_commands += 1
                self.store.n_reads += len(part)
            except CallError as failure:
                status = failure.status
                raise
            finally:
                if fabric.record is not None:
                    fabric.record("features", "spans", (
                        fabric.world.began_ts + began * fabric.world.speed, context.trace_id, fabric.span(),
                        context.span_id, "features", "features-0", "MGET", "store", "redis",
                        (loop.now - began) * 1000, None, status, 1, len(part), 88 * len(part), None,
                    ))  # fmt: skip
            if context.given_up:
                raise CallError("WIRE-004")

    def _note_read(
        self, view: FeatureView, ids: np.ndarray, rows: Rows, now: float, context: Context
    ) -> None:
        record = self.fabric.record
        assert record is not None
        record("features", "feature_reads", tables.feature_read(view, rows, now, context))
        if chosen(context, self.config().features.sample_share):
            for row in served_rows(view, ids, rows, now, context.trace_id):
                record("features", "served_features", row)

    # -- retrieval -------------------------------------------------------------------------------

    async def retrieve(
        self, request: Request, rows: UserRows, same: bool, context: Context
    ) -> tuple[Candidates, bool]:
        """The candidates, and whether they are those of the batch. rows: what the gateway had of the user;
        same: they are the batch's."""
        fabric, content, config = self.fabric, self.content, self.config()
        await fabric.work("retrieval.Retrieve", context, share=0.25)
        depth, ann, failed = content.ann_depth(request.asked), None, False
        if depth:
            try:
                ann, own = await self._ann(request, rows, depth, context)
                same = same and not own
            except CallError as failure:
                failed, same = True, False
                tables.log(
                    fabric, "retrieval", "source failed", context, source="ann", code=failure.code
                )
        await fabric.work("retrieval.Retrieve", context, share=0.75)
        if same:
            found, candidates = request.healthy.found, request.healthy.candidates
        else:
            if depth and not failed and ann is None:
                ann = content.search(content.encode(request.asked, rows), depth)
            found, candidates = content.retrieve(request.asked, rows, ann, failed)
        if fabric.record is not None and chosen(context, config.retrieval.sample_share):
            for row in candidate_rows(found, self._now(), context.trace_id):
                fabric.record("retrieval", "candidates", row)
        return candidates, same

    async def _ann(
        self, request: Request, rows: UserRows, depth: int, context: Context
    ) -> tuple[Found | None, bool]:
        """What the index found where a seam is armed on the way (None: ask the batch), and whether one was."""
        fabric, content = self.fabric, self.content
        vector: Floats | None = await fabric.call(
            "retrieval", "model", "EncodeUser", self.config().retrieval.model, context,
            lambda inner: self._encode_user(request, rows, inner), size=536,
        )  # fmt: skip
        seam = fabric.seams["retrieval"].index
        if vector is None and not seam:
            return None, False
        if vector is None:
            vector = content.encode(request.asked, rows)
        if not seam:
            return content.search(vector, depth), True
        call = Call(
            "index", "retrieval", content.index_version, "search", context.user, context.session,
            context.depth, context.region, payload=vector,
        )  # fmt: skip

        async def proceed(c: Call) -> tuple[np.ndarray, np.ndarray]:
            nearest = content.search(c.payload, depth)
            return nearest.ids, nearest.scores

        return Found(*await seam.run(call, proceed)), True

    async def _encode_user(
        self, request: Request, rows: UserRows, context: Context
    ) -> Floats | None:
        """None: as the batch has it. A vector where the model seam is armed."""
        await self.fabric.work("model.EncodeUser", context)
        seam = self.fabric.seams["model"].model
        if not seam:
            return None
        given = self.content.encoder_inputs([request.asked], [rows])
        version = self.content.encoder_version
        call = _model_call("EncodeUser", version, given, context)

        async def proceed(c: Call) -> Floats:
            return self.content.encode_raw(*c.payload)

        vectors: Floats = await seam.run(call, proceed)
        return vectors[0]

    # -- ranking and model -----------------------------------------------------------------------

    async def rank(
        self, request: Request, rows: UserRows, candidates: Candidates, same: bool, context: Context
    ) -> tuple[Ranked, bool]:
        """The ranked candidates, and whether they are those of the batch."""
        fabric, content, config, asked = self.fabric, self.content, self.config(), request.asked
        await fabric.work("ranking.Rank", context, len(candidates.ids), share=0.3)
        healthy, held = request.healthy, None
        if same and healthy.stats is not None:
            held = healthy.stats
        wanted = held if held is not None else self.store.items(candidates.ids, asked.now)
        stats: Rows | None = None
        try:
            stats = await fabric.call(
                "ranking", "features", "GetItems", config.ranking.features, context,
                lambda inner: self.get_items(candidates.ids, wanted, inner),
                n_keys=len(candidates.ids), size=89 * len(candidates.ids),
            )  # fmt: skip
        except CallError as failure:
            tables.log(fabric, "ranking", "item features missing", context, code=failure.code)
        same = same and stats is held
        await fabric.work("ranking.Rank", context, len(candidates.ids), share=0.6)
        x = healthy.x if same else content.inputs(asked, rows, candidates, stats)
        assert x is not None
        probabilities: Floats | None = None
        try:
            probabilities = await fabric.call(
                "ranking", "model", "Score", config.ranking.model, context,
                lambda inner: self._score(request, candidates, x, same, inner),
                n_keys=len(candidates.ids), size=172 * len(candidates.ids),
            )  # fmt: skip
        except CallError as failure:
            tables.log(fabric, "ranking", "model did not score", context, code=failure.code)
        await fabric.work("ranking.Rank", context, len(candidates.ids), share=0.1)
        same = same and probabilities is healthy.probabilities
        ranked = healthy.ranked if same else content.rank(candidates, stats, probabilities, rows)
        version = ranked.model_version
        if fabric.record is not None and version and chosen(context, config.ranking.sample_share):
            for row in tables.model_inputs(content, x, stats, rows, self._now(), context.trace_id):
                fabric.record("ranking", "model_inputs", row)
        return ranked, same

    async def _score(
        self, request: Request, candidates: Candidates, x: Floats, same: bool, context: Context
    ) -> Floats | None:
        fabric, content, loop, n = self.fabric, self.content, self.fabric.loop, len(candidates.ids)
        await fabric.work("model.Score", context)
        began = loop.now
        await self._join_batch()
        waited_ms = (loop.now - began) * 1000
        await fabric.work("model.forward", context, n)
        self._batch_ended = loop.now
        if fabric.record is not None:
            fabric.record("model", "spans", (
                fabric.world.began_ts + began * fabric.world.speed, context.trace_id, fabric.span(),
                context.span_id, "model", "model-0", "forward", "internal", content.model_version,
                (loop.now - began) * 1000, waited_ms, "OK", 1, n, None, n,
            ))  # fmt: skip
        seam = fabric.seams["model"].model
        try:
            if not seam:
                if same:
                    return request.healthy.probabilities
                return content.score(request.asked, candidates, x)
            given = content.score_inputs(request.asked, candidates, x)
            call = _model_call("Score", content.model_version, given, context)

            async def proceed(c: Call) -> Floats:
                return content.score_raw(*c.payload)

            scored: Floats = await seam.run(call, proceed)
            return scored
        except SandboxError as error:
            raise CallError(error.kind.code) from error

    async def _join_batch(self) -> None:
        """A job that finds the model busy waits for company, no longer than the configuration says."""
        loop, longest = self.fabric.loop, self.config().model.max_wait_ms / 1000
        if loop.now >= self._batch_at and loop.now - self._batch_ended >= longest:
            return
        if loop.now >= self._batch_at:  # opens the next batch
            self._batch_at = loop.now + longest
        await loop.sleep_until(self._batch_at)

    # -- rules -----------------------------------------------------------------------------------

    async def apply_rules(
        self, request: Request, rows: UserRows, candidates: Candidates, ranked: Ranked, same: bool,
        context: Context,
    ) -> Slate:  # fmt: skip
        await self.fabric.work("rules.Apply", context)
        slate = request.healthy.slate if same else None
        if slate is None:
            slate = self.content.apply_rules(request.asked, rows, candidates, ranked)
        if self.fabric.record is not None:
            items = candidates.ids[ranked.order]
            version, now = self.content.rules_version, self._now()
            for row in decision_rows(slate, items, version, now, context.trace_id, context.sampled):
                self.fabric.record("rules", "rule_decisions", row)
        return slate


async def _rows_of(call: Call) -> Rows:
    rows: Rows = call.payload["rows"]
    return rows


def _model_call(op: str, version: str, payload: tuple[Any, ...], context: Context) -> Call:
    return Call(
        "model", "model", version, op, context.user, context.session, context.depth, context.region,
        payload=payload,
    )  # fmt: skip
