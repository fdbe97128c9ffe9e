"""Telemetry of a virtual run: the rows of every process into one lake, with the collector's own samples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS
from sandbox.base.instances import instance_of, named, service_of
from sandbox.base.rows import Row, row_of
from sandbox.base.worlds import WorldManifest
from sandbox.telemetry import alerts
from sandbox.telemetry.collect import collected
from sandbox.telemetry.indicators import Indicators
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.settings import AlertSettings, IndicatorSettings
from sandbox.virtual.machine.cores import Process
from sandbox.virtual.machine.fabric import Fabric
from sandbox.virtual.machine.loop import World
from sandbox.virtual.processes.fixed import fixed_tables
from sandbox.virtual.processes.store import Store
from sandbox.virtual.processes.stream import Stream
from services.events.core import GROUP, STREAM
from services.skeleton.points import COLLECTOR
from services.skeleton.rows import logged
from services.skeleton.seams import Seams

_OBSERVED = ("requests", "impressions", "outcomes", "feature_reads")
_KEEP = 20_000  # rows of one table that wait for a segment
# Resident memory in MiB and threads of an idle process: fixed, no work of the model uses memory.
_MEMORY_MB = {
    "redis": 26.0, "collector": 132.0, "materialiser": 97.0, "features": 84.0, "model": 282.0,
    "retrieval": 120.0, "ranking": 71.0, "rules": 79.0, "events": 81.0, "gateway": 74.0, "stream": 84.0,
}  # fmt: skip
_THREADS = 8


class Recorder:
    """Takes rows as they come. seams: of each process; its `log` seam sees every row first."""

    def __init__(self, lake: Path, world: World, catalogue: Catalogue) -> None:
        self.world = world
        self.seams: Mapping[str, Seams] = {}
        self.store = SegmentStore(lake, lambda: 0.0)
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._fresh: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _OBSERVED}
        self._settings = AlertSettings()
        in_group_b: np.ndarray = catalogue.creator_group[catalogue.item_creator] == 1
        self._indicators = Indicators(
            IndicatorSettings(), self._settings, n_items=catalogue.n_items, in_group_b=in_group_b
        )
        self._state = alerts.State()
        self.fired: list[tuple[float, str, str]] = []  # world seconds, rule, state
        self._sampled: dict[str, int] = {}
        self.dropped = 0  # rows lost to a wrapper that failed

    def __call__(self, service: str, table: str, values: tuple[Any, ...]) -> None:
        seams = self.seams.get(service)
        if seams is not None and seams.log:
            try:
                passed = logged(seams.log, service, table, values)
            except SandboxError:  # as services.skeleton.telemetry.Telemetry.row
                self.dropped += 1
                return
            if passed is None:
                return
            values = passed
        rows = self._rows.setdefault(table, [])
        rows.append(values)
        if table in self._fresh:
            self._fresh[table].append(values)
        if len(rows) >= _KEEP:
            self._write(table)
            self.store.flush()  # what waits there beyond a limit would be dropped

    def rows(self, table: str, rows: Iterable[tuple[Any, ...]], service: str = "runtime") -> None:
        for row in rows:
            self(service, table, tuple(row))

    def flush(self) -> None:
        """Everything so far can be queried afterwards. Raises OSError when the disk takes no more."""
        for table in list(self._rows):
            self._write(table)
        self.store.flush()

    def _write(self, table: str) -> None:
        rows, self._rows[table] = self._rows[table], []
        self.store.add(table, rows)

    def publish(self, world_dir: Path, manifest: WorldManifest) -> None:
        """The tables that are fixed when a run begins: before anything is put on a seam. Raises as `fixed_tables`, and
        OSError when the disk takes no more."""
        for table, ready in fixed_tables(world_dir, manifest).items():
            self.store.adopt(table, ready)

    def minute(self, wall_s: float) -> None:
        """Closes a minute: indicators and alerts. wall_s: how long it took."""
        for table, rows in self._fresh.items():
            self._indicators.observe(table, rows)
            self._fresh[table] = []
        tick, rows_ = self._indicators.tick(self.world.now(), wall_s)
        if (seams := self.seams.get(COLLECTOR)) is not None:
            try:
                tick, rows_ = collected(seams.collect, tick, rows_)
            except SandboxError as error:
                self._lost(error)
                return
        self.rows("metrics", rows_, COLLECTOR)
        self._state, events = alerts.step(self._state, tick, self._settings)
        for event in events:
            self(COLLECTOR, "alerts", event.row())
            self.fired.append((event.ts, event.rule, event.state))

    def _lost(self, error: SandboxError) -> None:
        """As the collector logs a job of its own that failed."""
        self(COLLECTOR, "logs", row_of.logs(
            ts=self.world.now(), service=COLLECTOR, instance=named(COLLECTOR), level="error", msg="collector job failed",
            fields=json.dumps({"job": "_minute", "error": repr(error)[:300]}),
        ))  # fmt: skip

    def sample(self, fabric: Fabric, store: Store, stream: Stream, wall_s: float) -> None:
        """What the collector sees of processes, edges, Redis and the stream once a wall second."""
        now = self.world.now()
        for process in fabric.processes.values():
            self(COLLECTOR, "procs", _proc(process, now, fabric.loop.now, wall_s))
            process.sampled()
            if process.gate is not None:
                self(process.service, "limits", process.gate.sampled(now, process.service, process.instance))
        for (caller, callee, path), tally in fabric.tallies.items():
            by, of = service_of(caller), fabric.processes.get(callee)
            down = of is None or fabric.loop.now < of.down_until
            row = tally.sampled(
                now, wall_s, caller=by, callee=service_of(callee), instance=instance_of(callee), path=path,
                conn_state="TRANSIENT_FAILURE" if down else "READY",
            )  # fmt: skip
            if row is not None:
                self(by, "rpc_edges", row)
        if fabric.loop.now >= store.down_until:
            self._sample_store(store, stream, now, wall_s)

    def _sample_store(self, store: Store, stream: Stream, now: float, wall_s: float) -> None:
        n_keys = store.n_keys
        since = {
            "commands": store.n_commands, "reads": store.n_reads, "misses": store.n_misses, "expired": store.n_expired,
            "evicted": store.memory.n_evicted, "in": len(stream.entries), "out": stream.done,
        }  # fmt: skip
        change = {k: max(0, v - self._sampled.get(k, 0)) for k, v in since.items()}
        self._sampled = since
        self(COLLECTOR, "redis_stats", row_of.redis_stats(
            ts=now, node=named("redis"), ops=(change["commands"] + change["in"]) / wall_s,
            used_mb=store.used_bytes / 2**20, maxmemory_mb=float(store.memory.settings.maxmemory_mb),
            evicted=change["evicted"], expired=change["expired"], hits=change["reads"] - change["misses"],
            misses=change["misses"], fork_us=0, net_out_kb=change["reads"] * ITEM_STATS.row_bytes / 1024, keys=n_keys,
            replica_lag_s=store.replica.behind_s(store.wall()) * self.world.speed if store.replica.is_there else None,
        ))  # fmt: skip
        self(COLLECTOR, "stream_stats", row_of.stream_stats(
            ts=now, stream=STREAM, consumer_group=GROUP, length=len(stream.entries),
            backlog=stream.backlog, last_event_ts=stream.written_ts or None,
            last_processed_ts=stream.processed_ts or None, rate_in=change["in"] / wall_s,
            rate_out=change["out"] / wall_s,
        ))  # fmt: skip


def _proc(process: Process, now: float, wall: float, wall_s: float) -> Row:
    held_mb = process.room.memory_mb if process.room is not None else 0.0
    return row_of.procs(
        ts=now, service=process.service, instance=process.instance, pid=0,
        cpu_pct=100.0 * process.busy_s / wall_s, rss_mb=_MEMORY_MB.get(process.service, 80.0) + held_mb,
        threads=_THREADS, invol_ctx=process.n_switched, pool_queue=len(process.waiting), inflight=process.inflight,
        gc_gen2_ms=1000.0 * process.collector_s, uptime_s=int(wall - process.started), run_wait_ms=1000.0 * process.run_wait_s,
        throttled_ms=1000.0 * process.throttled_s,
    )  # fmt: skip
