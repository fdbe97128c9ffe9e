"""Feature rows: read from the store, through the seams where those are armed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np

from sandbox.base.config import Config
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, FeatureView, Rows, Status
from sandbox.base.rows import row_of
from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.later import Gathering, Later, known
from sandbox.virtual.answers.request import Request
from sandbox.virtual.machine.fabric import CallError, Context, Fabric
from sandbox.virtual.processes.handlers.service import Service, chosen
from sandbox.virtual.processes.store import Store
from services.features.consents import Said, Withdrawn, answered, consent_call, load, said_of
from services.features.core import batches, rows_of
from services.features.fetch import Wanted, fetch_call, fetched, wanted_by
from services.features.server import packed, read_row, served_rows
from services.gateway.stages import VIEWS, Candidates, UserRows
from services.skeleton.seams import Call

_CONSENT_SHARE = 0.4  # of the work of GetUser
USER_VIEWS: tuple[FeatureView, ...] = (USER_PROFILE, USER_SESSION, USER_SEEN)


class Features(Service):
    """GetUser, GetItems and GetConsent."""

    def __init__(
        self, fabric: Fabric, content: Content, store: Store, gathering: Gathering, config: Callable[[], Config]
    ) -> None:
        super().__init__(fabric, content, store, gathering, config)
        self.withdrawn = Withdrawn(self.content.catalogue, self.config().features.withdrawals)

    def heed(self, config: Config) -> None:
        """Writes down withdrawals that settings bring with them."""
        record = self.fabric.record
        for row in self.withdrawn.heed(config.features.withdrawals, self.now()):
            if record is not None:
                record("features", "consent_ledger", row)

    async def get_consent(self, user: int, context: Context) -> Said:
        """What the ledger says of the user, through the consent seam where that is armed."""
        # No round trip to the store: less work than a read of features.
        await self.fabric.work("features.GetUser", context, share=_CONSENT_SHARE)
        call = consent_call(user, self.now(), context.session, context.depth, context.region)
        seam = self.fabric.seams["features"].consent
        return said_of(await self.fabric.through(seam, call, self._said)) if seam else await self._said(call)

    async def _said(self, call: Call) -> Said:
        if self.withdrawn.ledger is None:
            content = self.content
            self.withdrawn.attach(load(content.world_dir / "public" / "consent_ledger.parquet", content.catalogue))
        assert self.withdrawn.ledger is not None
        return answered(self.withdrawn.ledger, call)

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
        self.store.n_misses += sum(int(rows.status[0]) == Status.MISSING for rows in found)
        if fabric.seams["features"].fetch:
            found = await self._through_fetch("GetUser", [(view, ids) for view in views], found, 1, read_ts, context)
        now = self.now()
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
        fabric, now = self.fabric, self.now()
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
            self.gathering.later(lambda: self._note_items(candidates.get().ids, given.get(), now, context))
        return stats

    def _note_items(self, ids: np.ndarray, rows: Rows, now: float, context: Context) -> None:
        self.store.n_misses += int(np.count_nonzero(rows.status == Status.MISSING))
        self._note_read(ITEM_STATS, ids, rows, now, context)

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


async def _rows_of(call: Call) -> Rows:
    rows: Rows = call.payload["rows"]
    return rows
