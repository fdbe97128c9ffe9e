"""The features service: packed rows out of Redis, with age, version and status of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import FeatureView, Rows, Status, unpack_many
from sandbox.base.instances import split
from sandbox.base.rows import Row, row_of
from services.features import core
from services.features.consents import PURPOSE, ConsentLedger, Said, Withdrawn, answered, consent_call, load, said_of
from services.features.fetch import Wanted, fetch_call, fetched, keys_of, wanted_by
from services.proto.recsys.v1 import features_pb2, features_pb2_grpc
from services.skeleton.context import Context
from services.skeleton.feature_store import RedisFeatures
from services.skeleton.host import Host, Registration
from services.skeleton.seams import Call
from services.skeleton.store import FAILURES, Store, unreachable

_STATUS = {int(status): status.name for status in Status}


class FeaturesServicer(features_pb2_grpc.FeaturesServicer):
    """Holds nothing but a connection: rows are read anew for every call."""

    def __init__(self, host: Host) -> None:
        self.host, self.seams, self.telemetry = host, host.seams, host.telemetry
        self.store = RedisFeatures(Store(host.run.redis))
        self.public = Path(host.run.world_dir) / "public"
        self.withdrawn: Withdrawn | None = None  # read where somebody is asked, or takes something back
        self._configure(host.config)
        if host.config.gateway.consent == "ask":
            self._ledger()

    def _configure(self, config: Config) -> None:
        self.views = core.views_with(config.features.max_age_s)
        self.share = config.features.sample_share
        self.batch = config.features.fetch_batch
        self.store.from_replica = config.features.reads == "replica"

    async def start(self) -> None:
        """The store may be away: calls then answer STORE-001 until it is back."""

    async def reconfigure(self, config: Config) -> None:
        before = self.host.config.features.withdrawals
        self._configure(config)
        if config.features.withdrawals:
            if self.withdrawn is None:
                self.withdrawn = Withdrawn(Catalogue.load(self.public / "catalogue.npz"), before)
            rows = list(self.withdrawn.heed(config.features.withdrawals, self.host.world.now()))
            for row in rows if split(self.host.instance)[1] == 0 else ():  # one of the instances tells the lake
                self.telemetry.row("consent_ledger", row)

    async def stop(self) -> None:
        await self.store.close()

    async def GetUser(self, request: Any, context: Context) -> Any:
        if not 1 <= len(request.views) <= core.MAX_VIEWS or request.user_id < 0:
            raise SandboxError(
                "WIRE-002",
                where="GetUser",
                seen=f"user {request.user_id}, {len(request.views)} views",
                expected=f"user 0 or above, 1 to {core.MAX_VIEWS} views",
                fix="correct the request",
            )
        views = core.asked_views(request.views, "user", self.views)
        ids = np.array([request.user_id])
        found, now = await self._fetch([(view, ids) for view in views], "GetUser", context)
        answers = [
            self._served(view, ids, held, now, "GetUser", context) for view, held in zip(views, found, strict=True)
        ]
        rows = await asyncio.gather(*answers) if self.seams.read else [await a for a in answers]
        return features_pb2.GetUserResponse(rows=[packed(view, held) for view, held in zip(views, rows, strict=True)])

    async def GetItems(self, request: Any, context: Context) -> Any:
        (view,) = core.asked_views([request.view], "item", self.views)
        ids = core.asked_items(request.item_ids)
        (held,), now = await self._fetch([(view, ids)], "GetItems", context)
        rows = await self._served(view, ids, held, now, "GetItems", context)
        return features_pb2.GetItemsResponse(rows=packed(view, rows))

    async def GetConsent(self, request: Any, context: Context) -> Any:
        if request.purpose != PURPOSE:
            raise SandboxError(
                "WIRE-002",
                where="GetConsent.purpose",
                seen=request.purpose,
                expected=PURPOSE,
                fix="ask for a purpose that serving has",
            )
        call = consent_call(request.user_id, self.host.world.now(), context.session, context.depth, context.region)
        seam = self.seams.consent
        said = said_of(await seam.run(call, self._said)) if seam else await self._said(call)
        return features_pb2.GetConsentResponse(granted=said.granted, since_ts=said.since_ts, signal=said.signal)

    async def _said(self, call: Call) -> Said:
        return answered(self._ledger(), call)

    def _ledger(self) -> ConsentLedger:
        if self.withdrawn is None or self.withdrawn.ledger is None:
            catalogue = Catalogue.load(self.public / "catalogue.npz")
            self.withdrawn = self.withdrawn or Withdrawn(catalogue, self.host.config.features.withdrawals)
            self.withdrawn.attach(load(self.public / "consent_ledger.parquet", catalogue))
        assert self.withdrawn.ledger is not None
        return self.withdrawn.ledger

    async def _fetch(self, asked: Wanted, op: str, context: Context) -> tuple[list[Rows], float]:
        """The rows of all that is asked for, through the fetch seam, and when the store had answered, world seconds.
        Raises STORE-001."""
        if not self.seams.fetch:
            return await self._looked_up(asked, context)
        call = fetch_call(asked, op, context.user, context.session, context.depth, context.region)

        async def proceed(given: Call) -> dict[str, Rows]:
            wanted = wanted_by(given)
            rows, _ = await self._looked_up(wanted, context)
            return {view.name: held for (view, _), held in zip(wanted, rows, strict=True)}

        answer = await self.seams.fetch.run(call, proceed)
        return fetched(asked, answer), self.host.world.now()

    async def _looked_up(self, asked: Wanted, context: Context) -> tuple[list[Rows], float]:
        """By one round trip after the other."""
        keys, blobs = keys_of(asked), list[bytes | None]()
        for part in core.batches(keys, self.batch):
            blobs += await self._round_trip(part, context)
        now, rest = self.host.world.now(), iter(blobs)
        return [unpack_many(view, list(islice(rest, len(ids))), now) for view, ids in asked], now

    async def _round_trip(self, keys: Sequence[bytes], context: Context) -> list[bytes | None]:
        began_world, began, status, size = self.host.world.now(), time.perf_counter(), "OK", 0
        try:
            blobs = await self.store.fetch(keys)
            size = sum(len(blob) for blob in blobs if blob)
            return blobs
        except FAILURES as error:
            status = "UNAVAILABLE"
            raise unreachable("features, MGET", error) from error
        finally:
            self.telemetry.row("spans", row_of.spans(
                ts=began_world, trace_id=context.trace_id, span_id=self.host.spans.next(),
                parent_id=context.span_id, service="features", instance=self.host.instance,
                op="MGET", kind="store", peer="redis",
                dur_ms=(time.perf_counter() - began) * 1000, status=status, n_keys=len(keys),
                bytes=size,
            ))  # fmt: skip

    async def _served(
        self, view: FeatureView, ids: np.ndarray, rows: Rows, now: float, op: str, context: Context
    ) -> Rows:
        """Rows through the read seam, logged as they are served."""
        if self.seams.read:
            call = Call(
                "read", "features", view.name, op, context.user, context.session, context.depth,
                context.region, payload={"entity_ids": ids, "rows": rows},
            )  # fmt: skip
            rows = await self.seams.read.run(call, _rows)
        self.telemetry.row("feature_reads", read_row(view, rows, now, context.trace_id, context.caller))
        if context.chosen(self.share):
            for row in served_rows(view, ids, rows, now, context.trace_id):
                self.telemetry.row("served_features", row)
        return rows


def read_row(view: FeatureView, rows: Rows, now: float, request_id: str, caller: str) -> Row:
    """A row of feature_reads. now: world seconds."""
    found = core.figures(rows, now)
    return row_of.feature_reads(
        ts=now, request_id=request_id, caller=caller, view=view.name, n_rows=found.n,
        n_missing=found.missing, n_expired=found.expired, age_p50_s=found.age_p50_s,
        age_max_s=found.age_max_s,
    )  # fmt: skip


def served_rows(view: FeatureView, ids: np.ndarray, rows: Rows, now: float, request_id: str) -> Iterator[Row]:
    """Rows of served_features: of a sample of the entities, every column. now: world seconds."""
    step = max(1, len(ids) // core.LOGGED_ROWS)
    for i in range(0, len(ids), step):
        status = _STATUS[int(rows.status[i])]
        event_ts = None if np.isnan(rows.event_ts[i]) else float(rows.event_ts[i])
        entity, writer = str(ids[i]), str(rows.run[i])
        values = rows.values[i, : core.LOGGED_COLUMNS].tolist()
        for column, value in zip(view.columns, values, strict=False):
            yield row_of.served_features(
                ts=now, request_id=request_id, entity=view.entity, entity_id=entity, view=view.name,
                feature=column, value=value, feature_event_ts=event_ts, status=status,
                writer_run=writer,
            )  # fmt: skip


async def _rows(call: Call) -> Rows:
    rows: Rows = call.payload["rows"]
    return rows


def packed(view: FeatureView, rows: Rows) -> Any:
    """The rows as the wire has them."""
    return features_pb2.PackedRows(
        view=view.name,
        version=view.version,
        n_columns=len(view.columns),
        values=rows.values.astype("<f4", copy=False).tobytes(),
        event_ts=rows.event_ts.astype("<f8", copy=False).tobytes(),
        status=rows.status.tobytes(),
        writer_run=rows.run.astype("<u8", copy=False).tobytes(),
    )


REGISTRATION = Registration("features", FeaturesServicer, features_pb2.DESCRIPTOR.services_by_name["Features"])
