"""The collector: takes telemetry from every process of a run and appends it to the lake.

The process of that name (sandbox.runtime.local.child) runs it. It listens on RUN/collector.sock for
frames (sandbox.base.frames), samples processes, Redis and the event stream once a wall second,
derives `metrics` and `alerts` once a world minute, and publishes segments twice a wall second. No
sender can stop it: a connection that sends anything but frames is closed, logged and counted. A
full disk costs rows (counted), never the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sandbox.base.clock import WallClock
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.frames import GAUGES, Decoder, Frame
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo
from sandbox.base.tombstones import Watch
from sandbox.telemetry import alerts, outcomes
from sandbox.telemetry.collect import collected
from sandbox.telemetry.indicators import Indicators
from sandbox.telemetry.proc_probe import Gauges, ProcProbe
from sandbox.telemetry.redis_probe import RedisLink, RedisProbe
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.settings import AlertSettings, CollectorSettings, IndicatorSettings
from services.skeleton.seams import Seams

_READ_BYTES = 1 << 18
_MINUTE_S = 60.0  # world


class Collector:
    """One run's collector. Everything but the disk runs on the event loop; the disk has one thread."""

    def __init__(
        self,
        run: RunInfo,
        instance: str,
        settings: CollectorSettings | None = None,
        alert_settings: AlertSettings | None = None,
    ) -> None:
        self.run, self.instance = run, instance
        self.settings = settings or CollectorSettings()
        self.alert_settings = alert_settings or AlertSettings()
        self.world = run.clock()
        self.seams = Seams(self.world, WallClock())
        self.store = SegmentStore(run.lake, time.monotonic, _erased(Watch(Path(run.world_dir))))
        self._outcomes = outcomes.Outcomes(run.outcomes_journal, outcomes.recorded(run.lake))
        self.n_refused = 0  # connections closed for what they sent
        n_items, in_group_b = _catalogue(Path(run.world_dir))
        self.indicators = Indicators(IndicatorSettings(), self.alert_settings, n_items=n_items, in_group_b=in_group_b)
        self._alert_state = alerts.State()
        self._gauges = Gauges(self.settings.gauge_age_s)
        self._procs = ProcProbe(run.path, instance, self._gauges)
        has_replica = Config.load(run.path).redis.replica
        self._redis = RedisProbe(RedisLink(run.redis), run.speed if has_replica else None)
        self._redis_away = self._disk_full = False
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="disk")
        self._senders: set[asyncio.Task[None]] = set()

    async def serve(self, stop: asyncio.Event) -> None:
        """Collect until `stop` is set, then take in what is on the way and publish everything."""
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
        server = await asyncio.start_unix_server(self._accept, self._bind_path())
        settings = self.settings
        minute_s = max(1.0, _MINUTE_S / self.run.speed)
        jobs = [
            asyncio.create_task(self._every(settings.flush_s, self._flush)),
            asyncio.create_task(self._every(settings.compact_every_s, self._tidy)),
            asyncio.create_task(self._every(settings.sample_s, self._sample)),
            asyncio.create_task(self._every(minute_s, self._minute)),
        ]
        self.log("info", "collecting", lake=str(self.run.lake))
        await stop.wait()
        server.close()
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._drain()
        self.log("info", "stopped", written=self.store.counters.written)
        await self._flush(0.0)
        self._disk.shutdown()
        with suppress(OSError):
            self.run.collector_socket.unlink()

    def take(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Rows of one table, into the lake and the indicators."""
        if table == outcomes.TABLE:
            rows = self._outcomes.fresh(rows)
        self._add(table, rows)

    def _add(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        self.store.add(table, rows)
        self.indicators.observe(table, rows)

    def log(self, level: str, msg: str, **fields: Any) -> None:
        """A line of the collector's own, to the lake and to its log."""
        text = json.dumps(fields)
        self.take("logs", [row_of.logs(
            ts=self.world.now(), service="collector", instance=self.instance, level=level, msg=msg,
            fields=text,
        )])  # fmt: skip
        with suppress(OSError):  # the log may lie on the disk that is full
            sys.stderr.write(f"{level} {msg} {text}\n")

    def _bind_path(self) -> str:
        path = self.run.collector_socket
        if len(os.fsencode(path)) > 103:  # what every system's sockaddr_un holds
            raise SandboxError(
                "CFG-001",
                where="run directory",
                seen=str(path),
                expected="a socket path of at most 103 bytes",
                fix="choose a shorter --run-dir",
            )
        path.unlink(missing_ok=True)  # of a collector that was killed
        return str(path)

    async def _every(self, seconds: float, job: Callable[[float], Awaitable[None] | None]) -> None:
        """Run job(wall seconds since its last run) again and again; one that fails is logged."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, last + seconds - time.monotonic()))
            now = time.monotonic()
            since, last = now - last, now
            await self._once(job, since)

    async def _once(self, job: Callable[[float], Awaitable[None] | None], since: float) -> None:
        try:
            result = job(since)
            if result is not None:
                await result
        except Exception as error:  # a process's edge: one bad sample must not end the run's telemetry
            self.log("error", "collector job failed", job=job.__name__, error=repr(error)[:300])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._senders.add(task)
        try:
            if len(self._senders) > self.settings.max_connections:
                self._refuse("too many connections", len(self._senders))
            else:
                await self._receive(reader)
        except SandboxError as error:
            self._refuse("malformed frame", str(error.seen)[:200])
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._senders.discard(task)
            writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        while received := await reader.read(_READ_BYTES):
            for frame in decoder.feed(received):
                self._take_frame(frame)

    def _take_frame(self, frame: Frame) -> None:
        if frame.table == GAUGES:
            self._gauges.take(frame, time.monotonic())
        else:
            self.take(frame.table, frame.rows)

    def _refuse(self, why: str, seen: object) -> None:
        self.n_refused += 1
        self.log("warn", "telemetry connection closed", why=why, seen=seen, refused=self.n_refused)

    async def _drain(self) -> None:
        """Let senders that are still connected finish what they have sent, for at most a second."""
        if self._senders:
            _, late = await asyncio.wait(self._senders, timeout=1.0)
            for task in late:
                task.cancel()

    async def _flush(self, _since: float) -> None:
        if journalled := self._outcomes.tail():
            self._add(outcomes.TABLE, journalled)
        rows = self.store.take_buffer()
        try:
            await self._on_disk(lambda: self.store.publish(rows))
        except OSError as error:
            if not self._disk_full:
                self._disk_full = True
                self.log("error", "lake cannot be written", error=str(error)[:200])
            return
        if self._disk_full:
            self._disk_full = False
            lost = self.store.counters.dropped_full
            self.log("warn", "lake can be written again", rows_dropped=lost)

    async def _tidy(self, _since: float) -> None:
        with suppress(OSError):  # a full disk shows in _flush
            await self._on_disk(self.store.compact)
        await self._on_disk(self.store.sweep)

    async def _on_disk(self, job: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._disk, job)

    async def _sample(self, since: float) -> None:
        now = self.world.now()
        self.take("procs", self._procs.sample(now, time.monotonic(), self._redis.pid))
        try:
            self.take("redis_stats", [await self._redis.stats(now, since)])
            self.take("redis_slowlog", await self._redis.slow(self.world.now()))
            row = await self._redis.stream(self.world.now, since)
        except OSError as error:
            if not self._redis_away:
                self._redis_away = True
                self.log("warn", "redis does not answer", error=str(error)[:200])
            return
        if self._redis_away:
            self._redis_away = False
            self.log("info", "redis answers again")
        if row is not None:
            self.take("stream_stats", [row])

    def _minute(self, since: float) -> None:
        tick, rows = collected(self.seams.collect, *self.indicators.tick(self.world.now(), since))
        self.take("metrics", rows)
        self._alert_state, events = alerts.step(self._alert_state, tick, self.alert_settings)
        self.take("alerts", [event.row() for event in events])


def _erased(watch: Watch) -> Callable[[], np.ndarray]:
    """Tombstones that cannot be read are as a disk that takes nothing: rows wait until they can."""

    def users() -> np.ndarray:
        try:
            return watch.users()
        except SandboxError as error:
            raise OSError(str(error)) from error

    return users


def _catalogue(world_dir: Path) -> tuple[int, np.ndarray | None]:
    """Number of items, and bool [items] where the creator is of group B; (0, None) where unknown."""
    path = world_dir / "public" / "catalogue.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            creator, group = arrays["item_creator"], arrays["creator_group"]
            return len(creator), group[creator] == 1
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return 0, None
