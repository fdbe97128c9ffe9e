"""The virtual side: a stack on the tiny world whose own users stay away, so that what happens is asked for here."""

from __future__ import annotations

import numpy as np

from sandbox.base.catalogue import REGIONS
from sandbox.base.config import Config, Edge, GatewayConfig, RankingConfig, RetrievalConfig
from sandbox.base.features import ITEM_STATS, USER_SESSION
from sandbox.base.schema import TABLES
from sandbox.virtual.machine.fabric import dice
from sandbox.virtual.stack import VirtualStack
from services.events.core import Entry

PATIENT = Edge(deadline_ms=8_000)
STEP_S = 0.25  # wall seconds of the run


class Virtual:
    def __init__(self, folder):
        self.stack = VirtualStack(
            "tiny", folder, seed=1, rate_per_s=1e-6,
            config=Config(
                gateway=GatewayConfig(
                    deadline_ms=10_000, explain_share=1.0, impressions_to_stream=False,
                    consent="ask", consent_wait_ms=8_000,
                    **dict.fromkeys(("features", "retrieval", "ranking", "rules", "events"), PATIENT),
                ),
                retrieval=RetrievalConfig(model=PATIENT, sample_share=1.0),
                ranking=RankingConfig(features=PATIENT, model=PATIENT),
            ),
        )  # fmt: skip
        self.fabric, self.recorder = self.stack.fabric, self.stack.recorder
        catalogue = self.stack.catalogue
        consenting = np.flatnonzero(catalogue.user_personalised & (catalogue.user_region == REGIONS.index("EU")))
        profiles = self.stack.materialiser._snapshot["user_id"]
        self.user = int(np.intersect1d(consenting, profiles)[0])
        self._n = 0

    def wall(self, process):
        return self.seams(process).wall

    def seams(self, process):
        return self.fabric.seams[process]

    def rows(self, table):
        self.stack.gathering.settle()
        names = TABLES[table].names
        return [dict(zip(names, row, strict=True)) for row in self.recorder._rows.get(table, ())]

    def dropped(self):
        return self.recorder.dropped

    def forget(self):
        self.stack.gathering.settle()
        self.recorder._rows.clear()
        self.recorder.dropped = 0

    def _advance(self, wall_s):
        self.stack.advance(self.stack.now() + wall_s * self.stack.world.speed)

    async def ask(self, n=1):
        for _ in range(n):
            self.stack.clients.probe(self.user)
        self._advance(5.0)

    async def minute(self):
        self.recorder.minute(60.0)

    def throttled_ms(self, process):
        sampled = sum(row["throttled_ms"] for row in self.rows("procs") if row["service"] == process)
        return sampled + self.fabric.processes[process].throttled_s * 1000

    async def tell(self):
        self._n += 1
        before, now = len(self.stack.stream.entries), self.stack.now()
        entries = [Entry("click", self.user, 7, now, (20 + i,), 1.0, f"{self._n}/{i}", "r") for i in range(2)]
        place = (np.array([self.user]), np.array([7]), np.array([self._n]))
        self.stack.clients._send_feedback(entries, 0, dice(1, "feedback", *place)[0])
        self._advance(1.0)
        return len(self.stack.stream.entries) - before

    def forget_session(self):
        self.stack.store.streamed(USER_SESSION.name, self.user)  # what is owed is worked out first
        self.stack.store._streamed[USER_SESSION.name].pop(self.user, None)

    def session_row(self):
        row = self.stack.store.streamed(USER_SESSION.name, self.user)
        return None if row is None else row.values

    async def until(self, condition):
        for _ in range(200):
            if condition():
                return
            self._advance(STEP_S)
        raise AssertionError("the condition did not come true")

    async def caught_up(self):
        await self.until(lambda: not self.stack.stream.backlog)

    async def materialise(self):
        before = len(self.rows("materialization_runs"))
        self.stack.materialiser.run()
        await self.until(lambda: not self.stack.materialiser.busy)
        failed = [r["status"] for r in self.rows("materialization_runs")[before:] if r["status"] != "OK"]
        return failed[0] if failed else "OK"

    async def tend(self):
        task = self.stack.upkeep.once()
        await self.until(lambda: task is None or task.fired)

    def board(self):
        return self.stack.store.lists.get("board", 0)

    def clear_board(self):
        self.stack.store.lists.clear()

    def n_items(self):
        return self.stack.catalogue.n_items

    def item_row(self):
        table = self.stack.store._batch[ITEM_STATS.name]
        return None if np.isnan(table.event_ts[7]) else table.values[7]

    def clear_items(self):
        self.stack.store._batch[ITEM_STATS.name].event_ts[:20] = np.nan
