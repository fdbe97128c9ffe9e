"""The live side: real servers, a real Redis and real calls, in the test's own process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis
from grpc import aio

from sandbox.base.config import Config, Edge, GatewayConfig, RankingConfig, RetrievalConfig
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION, key, pack, unpack_many
from sandbox.base.schema import TABLES
from sandbox.runtime.materialiser import Materialiser
from sandbox.telemetry.collector import Collector
from services.events.core import PROGRESS, STREAM
from services.events.processor import REGISTRATION as PROCESSOR
from services.events.server import REGISTRATION as EVENTS
from services.features.server import REGISTRATION as FEATURES
from services.gateway.server import REGISTRATION as GATEWAY
from services.model.server import REGISTRATION as MODEL
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
from services.ranking.server import REGISTRATION as RANKING
from services.retrieval.server import REGISTRATION as RETRIEVAL
from services.rules.server import REGISTRATION as RULES
from tests.services.artefacts import everything
from tests.services.harness import WORLD_START, catalogue, make_run, redis_at, serving
from tests.services.waiting import until

PATIENT = Edge(deadline_ms=8_000)  # a busy machine is no part of what is tested
USER, SLATE = 3, 5


def _config():
    return Config(
        gateway=GatewayConfig(
            deadline_ms=10_000,
            explain_share=1.0,
            consent="ask",
            consent_wait_ms=8_000,
            impressions_to_stream=False,
            **dict.fromkeys(("features", "retrieval", "ranking", "rules", "events"), PATIENT),
        ),
        retrieval=RetrievalConfig(model=PATIENT, sample_share=1.0),
        ranking=RankingConfig(features=PATIENT, model=PATIENT),
    )


class Computed(SimpleNamespace):
    """What the batch job makes of the events: ones."""

    def __init__(self):
        items = catalogue()
        super().__init__(
            catalogue=items, newest_event_ts=WORLD_START, ts=WORLD_START,
            last_ts=np.full(4, -np.inf), item_last_ts=np.full(items.n_items, -np.inf),
        )  # fmt: skip

    def add(self, entries):
        counted = list(entries)
        for entry in counted:
            self.last_ts[entry.user] = self.item_last_ts[list(entry.items)] = self.newest_event_ts = entry.ts
        return [entry.ts for entry in counted]

    def profile(self, until):
        return np.ones((4, len(USER_PROFILE.columns)), np.float32)

    def stats(self, until):
        return np.ones((self.catalogue.n_items, len(ITEM_STATS.columns)), np.float32)


class Live:
    def __init__(self, run, hosts, stub, store):
        self.run, self.hosts, self.stub, self.store = run, hosts, stub, store
        self.job = Materialiser(run)
        self.job._live, self.job._snapshot = Computed(), {"user_id": np.arange(4)}
        self.collector = Collector(run, "collector-0")
        self.user = USER
        self._n = 0

    def wall(self, process):
        return self.seams(process).wall

    def seams(self, process):
        plain = {"materialiser": self.job.seams, "collector": self.collector.seams}
        return plain.get(process) or self.hosts[process].seams

    def rows(self, table):
        """All rows since the last `forget`, as dicts."""
        names = TABLES[table].names
        hosts = [host.telemetry for host in self.hosts.values()] + [self.job.telemetry]
        rows = [row for t in hosts for row in t._rows[table]] + self.collector.store._buffer.get(table, [])
        return [dict(zip(names, row, strict=True)) for row in rows]

    def dropped(self):
        return sum(host.telemetry.dropped for host in self.hosts.values())

    def forget(self):
        for host in self.hosts.values():
            host.telemetry._rows.clear()
            host.telemetry._n = 0
            host.telemetry.dropped = 0
        self.job.telemetry._rows.clear()
        self.job.telemetry._n = 0
        self.collector.store.take_buffer()

    async def minute(self):
        """Closes a minute of indicators, as the collector does by itself."""
        self.collector.take("requests", list(self.hosts["gateway"].telemetry._rows["requests"]))
        await self.collector._once(self.collector._minute, 60.0)

    async def ask(self, n=1):
        """So many requests at once, their rows written."""
        request = gateway_pb2.RecommendRequest(user_id=USER, k=SLATE, explain=True)
        await asyncio.gather(*(self.stub.Recommend(request, timeout=20) for _ in range(n)))
        await until(lambda: self._done("gateway", "Recommend") == n, 10)

    async def try_asking(self, n):
        """So many requests at once, as people ask. Their statuses."""
        request = gateway_pb2.RecommendRequest(user_id=USER, k=SLATE)
        ended = await asyncio.gather(
            *(self.stub.Recommend(request, timeout=20) for _ in range(n)), return_exceptions=True
        )
        await until(lambda: self._done("gateway", "Recommend") == n, 10)
        return [e.code().name if isinstance(e, aio.AioRpcError) else "OK" for e in ended]

    def _done(self, service, op):
        return sum(s["service"] == service and s["op"] == op and s["kind"] == "server" for s in self.rows("spans"))

    def throttled_ms(self, process):
        return self.hosts[process].telemetry.throttled_ms

    async def tell(self):
        """Two clicks in one call. Returns how many entries of the stream they became."""
        self._n += 1
        before = self.store.xlen(STREAM)
        events = [
            gateway_pb2.Feedback(
                event_id=f"{self._n}/{i}", event_ts=WORLD_START + self._n, request_id="r", session_id="7",
                user_id=USER, item_id=20 + i, kind="click", value=1,
            )
            for i in range(2)
        ]  # fmt: skip
        with suppress(aio.AioRpcError):
            await self.stub.LogFeedback(gateway_pb2.LogFeedbackRequest(events=events), timeout=20)
        await until(lambda: self._done("events", "Append"))
        return self.store.xlen(STREAM) - before

    def forget_session(self):
        self.store.delete(key(USER_SESSION, USER))

    def session_row(self):
        blob = self.store.get(key(USER_SESSION, USER))
        return None if blob is None else unpack_many(USER_SESSION, [blob], -np.inf).values[0]

    async def until(self, condition):
        await until(condition, 10)

    async def caught_up(self):
        """All that was written is done."""
        await until(lambda: self._progress("processed_ts") == self._progress("written_ts"), 10)

    def _progress(self, name):
        return float(self.store.hget(PROGRESS, name) or 0.0)

    async def materialise(self):
        """One run of the batch job."""
        try:
            await self.job._materialise(stream_views=False)
        except SandboxError as error:
            return error.kind.code
        return "OK"

    async def tend(self):
        """One round of the store's upkeep."""
        await self.job.upkeep.once()

    def board(self):
        return self.store.llen("board")

    def clear_board(self):
        self.store.delete("board")

    def n_items(self):
        return catalogue().n_items

    def item_row(self):
        blob = self.store.get(key(ITEM_STATS, 7))
        return None if blob is None else unpack_many(ITEM_STATS, [blob], -np.inf).values[0]

    def clear_items(self):
        self.store.delete(*[key(ITEM_STATS, i) for i in range(20)])


def ledger(folder):
    """Everybody said yes on the settings page."""
    n = catalogue().n_users
    columns = {
        "purpose": "personalisation",
        "state": "granted",
        "effective_ts": 10.0,
        "jurisdiction": "gdpr",
        "signal": "ui",
    }
    table = pa.table({"user_id": np.arange(n), **{name: [value] * n for name, value in columns.items()}})
    pq.write_table(table, folder / "public" / "consent_ledger.parquet")


@asynccontextmanager
async def live(folder):
    run = make_run(folder, _config())
    everything(folder)
    ledger(folder)
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        profile = np.ones(len(USER_PROFILE.columns))
        store.set(key(USER_PROFILE, USER), pack(USER_PROFILE, profile, WORLD_START - 600, run=1))
        async with (
            serving(run, FEATURES, MODEL, RETRIEVAL, RANKING, RULES, EVENTS, PROCESSOR, GATEWAY) as hosts,
            aio.insecure_channel(run.addresses["gateway"]) as channel,
        ):
            side = Live(run, hosts, gateway_pb2_grpc.RecommenderStub(channel), store)
            yield side
            await side.job._rows.close()
            await side.job.upkeep.store.close()
            await side.job._stream.aclose()
