"""Rows on their way to the collector: buffered, sent in batches, dropped (and counted) rather than waited for."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.base.clock import Clock
from sandbox.base.errors import SandboxError
from sandbox.base.frames import GAUGES, encode_all
from sandbox.base.rows import row_of
from services.skeleton.rows import logged
from services.skeleton.seams import Seams

FLUSH_S = 0.4  # wall seconds between sends: fresh enough for the lake's 2 s, rare enough to be cheap
MAX_BUFFERED_ROWS = 50_000  # while the collector is away; about 10 MB
MAX_UNSENT_BYTES = 8 << 20


class Telemetry:
    """One process's way to the lake. `row` is cheap enough for the serving path."""

    def __init__(self, socket: Path, service: str, instance: str, seams: Seams) -> None:
        self.socket, self.service, self.instance = socket, service, instance
        self.seams = seams
        self.world: Clock = seams.world
        self.dropped = 0
        self._rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._n = 0
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._gc_started = self._gc_ms = 0.0
        self.gauges: Callable[[], tuple[int, int]] = lambda: (0, 0)  # pool_queue, inflight
        self.throttled_ms = 0.0  # that a quota held the process, since the last send

    def row(self, table: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """values: as `row_of` of sandbox.base.rows makes them; times as world seconds. Returns the row as it is told, None
        where something on the seam lost it."""
        if self.seams.log:
            try:
                passed = logged(self.seams.log, self.service, table, values)
            except SandboxError:  # a row is never worth the request that it is about
                self.dropped += 1
                return None
            if passed is None:
                return None
            values = passed
        if self._n >= MAX_BUFFERED_ROWS:
            self.dropped += 1
            return values
        self._rows[table].append(values)
        self._n += 1
        return values

    def log(self, level: str, msg: str, trace_id: str | None = None, **fields: Any) -> None:
        """A line for operators: constant text plus fields."""
        text = json.dumps(fields, default=str)
        self.row("logs", row_of.logs(
            ts=self.world.now(), service=self.service, instance=self.instance, level=level, msg=msg,
            fields=text, trace_id=trace_id,
        ))  # fmt: skip
        print(f"{level} {msg} {text}", flush=True)  # noqa: T201 the process's own log file

    async def start(self) -> None:
        gc.callbacks.append(self._on_gc)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._flush()
        if self._writer:
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._writer.drain(), 2)
            self._writer.close()
        with suppress(ValueError):
            gc.callbacks.remove(self._on_gc)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self._flush()

    async def _flush(self) -> None:
        if self._writer is None or self._writer.is_closing():
            try:
                _, self._writer = await asyncio.open_unix_connection(str(self.socket))
            except OSError:
                self._writer = None  # the collector is away: keep the rows and try again
                return
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            return
        queue, inflight = self.gauges()
        rows, self._rows, self._n = self._rows, defaultdict(list), 0
        rows[GAUGES].append((queue, inflight, self._gc_ms, self.throttled_ms))
        self._gc_ms = self.throttled_ms = 0.0
        for table, values in rows.items():
            if self._writer is None:
                self.dropped += len(values)
                continue
            try:
                for frame in encode_all(self.service, self.instance, table, values):
                    self._writer.write(frame)
            except (SandboxError, TypeError, OverflowError) as error:  # rows that fit no frame
                self.dropped += len(values)
                self.log("error", "rows cannot be sent", table=table, error=repr(error)[:200])
            except (OSError, RuntimeError):
                self.dropped += len(values)
                self._writer = None  # the next flush connects anew

    def _on_gc(self, phase: str, info: dict[str, int]) -> None:
        if info.get("generation") != 2:
            return
        if phase == "start":
            self._gc_started = time.perf_counter()
        else:
            self._gc_ms += (time.perf_counter() - self._gc_started) * 1000
