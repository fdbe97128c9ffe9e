"""The batch job that writes features to the store: everything at the start, the batch views each hour.

At the start it writes what the pipeline computed offline; from then on it reads the event stream and
writes user_profile and item_stats anew every world hour, so that their ages stay within bounds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base import artefacts
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import WallClock
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, FeatureView, Status, view_named
from sandbox.base.instances import named
from sandbox.base.jobs import ROWS_PER_WRITE, JobRun
from sandbox.base.rows import Row, row_of
from sandbox.base.run import RunInfo
from sandbox.base.tombstones import Watch
from sandbox.pipeline.live_features import LiveFeatures
from sandbox.runtime.upkeep import Upkeep
from services.events.core import STREAM, Entry
from services.events.places import checked_update, of_updates
from services.skeleton.feature_store import RedisFeatures
from services.skeleton.points import MATERIALISER
from services.skeleton.seams import Call, Seams, passed_on
from services.skeleton.store import FAILURES, Store, connect, unreachable
from services.skeleton.telemetry import Telemetry

EVERY_S = 3_600.0  # world seconds between two runs
LEAST_WALL_S = 20.0  # at high speeds: a run takes about half a second of one core
_ENTRIES_PER_READ = 5_000
_TIMEOUT_S = 10.0  # wall seconds for one command: nobody waits for this job


def pieces(n: int, size: int = ROWS_PER_WRITE) -> list[slice]:
    """Of n rows, those of one write each."""
    return [slice(start, start + size) for start in range(0, n, size)]


def job_call(job: JobRun, n: int) -> Call:
    """What passes the job seam. n: number of the run."""
    return Call("job", MATERIALISER, job.view, "run", position=n, payload=job)


def views_of(stream_views: bool) -> tuple[FeatureView, ...]:
    """The views of a run, in the order in which they are written. stream_views: the stream processor's too."""
    return (USER_PROFILE, ITEM_STATS, USER_SESSION, USER_SEEN) if stream_views else (USER_PROFILE, ITEM_STATS)


class Materialiser:
    """One run's batch job. `orders` are what its control endpoint answers."""

    def __init__(self, run: RunInfo) -> None:
        self.run, self.world = run, run.clock()
        self.seams = Seams(self.world, WallClock())
        self.telemetry = Telemetry(run.collector_socket, MATERIALISER, named(MATERIALISER), self.seams)
        self.ready = False
        self.orders: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "ping": self._ping,
            "materialise": self._materialise_now,
        }
        self._stream = connect(run.redis, timeout_s=_TIMEOUT_S)
        client, has_replica = Store(run.redis, timeout_s=_TIMEOUT_S), Config.load(run.path).redis.replica
        self._rows = RedisFeatures(client, where="materialiser", has_replica=has_replica)
        self.upkeep = Upkeep(Store(run.redis, timeout_s=_TIMEOUT_S), self.seams, self.telemetry.log)
        self._n = 0  # runs so far: also the writer of the rows
        self._position = "-"  # in the event stream: what was read so far
        self._one_at_a_time = asyncio.Lock()
        self._snapshot: dict[str, np.ndarray] = {}
        self._live: LiveFeatures
        self._erased = Watch(Path(run.world_dir))

    async def serve(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises MODEL-001, MODEL-002 when the offline features cannot be used."""
        await self.telemetry.start()
        self._load()
        await self._materialise_now()
        self.ready = True
        self.telemetry.log("info", "ready", snapshot=artefacts.FEATURES_VERSION)
        tending = asyncio.create_task(self.upkeep.serve())
        every_s = max(EVERY_S, LEAST_WALL_S * self.run.speed)
        while not stop.is_set():
            due = self.world.now() + every_s
            waiting = asyncio.create_task(self.world.wait_until(due))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            stopped.cancel()
            if not stop.is_set():
                with suppress(SandboxError):  # noted as a failed run; the next hour tries again
                    await self._materialise(stream_views=False)
        tending.cancel()
        await self.upkeep.store.close()
        await self._rows.close()
        await self._stream.aclose()
        await self.telemetry.stop()

    def _load(self) -> None:
        world = Path(self.run.world_dir)
        artefact = artefacts.load(world / "registry", "features", artefacts.FEATURES_VERSION)
        self._snapshot = artefact.arrays("features.safetensors")
        catalogue = Catalogue.load(world / "public" / "catalogue.npz")
        self._live = LiveFeatures(
            catalogue,
            self._snapshot["user_id"],
            self._snapshot["user_profile"],
            self._snapshot["item_stats"],
            artefact.manifest.created_ts,
        )

    async def _ping(self) -> dict[str, Any]:
        return {"ready": self.ready}

    async def _materialise_now(self) -> dict[str, Any]:
        # The rows of the stream processor are its own once it runs: only an empty store gets them back.
        sample = await self._rows.read(USER_SEEN, self._snapshot["stream_user_id"][:1], self.world.now())
        stream_views = bool((sample.status == Status.MISSING).all())
        return {"rows_written": await self._materialise(stream_views=stream_views)}

    async def _materialise(self, *, stream_views: bool) -> int:
        """One run over all batch views. Returns rows written. Raises STORE-001, STORE-004."""
        async with self._one_at_a_time:
            self._n += 1
            started, view = self.world.now(), USER_PROFILE
            try:
                read = await self._read_events()
                # Input counts as complete up to here; at the start that is the end of the history.
                until = started if self._n > 1 else max(self._live.ts, self._live.newest_event_ts)
                written = 0
                for view in views_of(stream_views):
                    written += await self._job(JobRun(view.name, until), read)
            except (SandboxError, *FAILURES) as error:
                failure = error if isinstance(error, SandboxError) else unreachable("materialiser", error)
                self._note(started, JobRun(view.name, started), 0, 0, failure.kind.code)
                self.telemetry.log("error", "feature write failed", error=repr(error)[:200])
                raise failure from error
        return written

    async def _job(self, due: JobRun, read: list[float]) -> int:
        """The run of one view, through the job seam, noted unless it was left out. read: event times of what came in
        since the run before. Returns rows written."""
        began, job, n_rows = self.world.now(), due, 0

        async def proceed(call: Call) -> int:
            nonlocal began, job, n_rows
            began, job = self.world.now(), call.payload
            view, ids, rows, ts = self._heeded(*self._computed(job))
            n_rows = len(ids)
            return sum([await self._write(view, ids, rows, ts, job.rows_per_write) for _ in range(job.passes)])

        call = job_call(due, self._n)
        n = await (self.seams.job.run(call, proceed) if self.seams.job else proceed(call))
        if n is None:
            return 0
        n_read = sum(map(job.counts, read)) + (n_rows if self._n == 1 else 0)
        self._note(began, replace(job, view=due.view), n_read, n, "OK")
        return n

    def _computed(self, job: JobRun) -> tuple[FeatureView, np.ndarray, np.ndarray, np.ndarray]:
        """(view, entity ids, rows, event times) of what a run writes."""
        view = view_named(job.view)
        ids, rows, ts = computed(job, self._live, self._snapshot)
        return view, ids, rows, ts

    def _heeded(
        self, view: FeatureView, ids: np.ndarray, rows: np.ndarray, ts: np.ndarray
    ) -> tuple[FeatureView, np.ndarray, np.ndarray, np.ndarray]:
        """Without the erased: what was loaded before they went must not bring them back. Raises PRIV-003."""
        if view.entity != "user" or not len(self._erased.users()):
            return view, ids, rows, ts
        kept = self._erased.kept(ids)
        return view, ids[kept], rows[kept], ts[kept]

    async def _read_events(self) -> list[float]:
        """Counts in what the stream holds since the last run. Returns the event times of the entries read."""
        read: list[float] = []
        while True:
            entries: Any = await self._stream.xrange(STREAM, min=self._position, count=_ENTRIES_PER_READ)
            decoded = (Entry.decode(fields.get(b"e", b"")) for _, fields in entries)
            read += self._live.add(entry for entry in decoded if entry is not None)
            if entries:
                self._position = "(" + entries[-1][0].decode()
            if len(entries) < _ENTRIES_PER_READ:
                return read

    async def _write(
        self, view: FeatureView, ids: np.ndarray, rows: np.ndarray, ts: np.ndarray, size: int = ROWS_PER_WRITE
    ) -> int:
        """Returns the rows written; what is put on the write seam sees a piece at a time. size: rows of one."""
        if not self.seams.write:
            await self._rows.write(view, ids, rows, ts, self._n, size)
            return len(ids)
        written = 0
        for part in pieces(len(ids), size):
            call = Call(
                "write",
                MATERIALISER,
                view.name,
                "write",
                payload=list(zip(ids[part].tolist(), ts[part].tolist(), rows[part].copy(), strict=True)),
                attributes={"event_ts": float(ts[part].max()), "n": len(ids[part])},
                places=of_updates(view, self._live.catalogue),
            )
            passed = await self.seams.write.run(call, passed_on)
            updates = [checked_update(view, update) for update in passed]
            if updates:
                entities, at, changed = zip(*updates, strict=True)
                await self._rows.write(view, np.array(entities), np.stack(changed), np.array(at), self._n, size)
            written += len(updates)
        return written

    def _note(self, started: float, job: JobRun, n_read: int, n: int, status: str) -> None:
        self.telemetry.row("materialization_runs", run_row(
            self._n, job, started, self.world.now(), self._live.newest_event_ts,
            rows_read=n_read, rows_written=n, status=status,
        ))  # fmt: skip


def computed(
    job: JobRun, live: LiveFeatures, snapshot: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a run writes: entity ids int64 [n], rows float32 [n, columns], event times float64 [n].
    snapshot: the arrays of the offline features."""
    view, until = view_named(job.view), job.until
    if view is USER_PROFILE:
        ids, rows = snapshot["user_id"], live.profile(until)
        ts = np.full(len(ids), until)
    elif view is ITEM_STATS:
        ids, rows = np.arange(live.catalogue.n_items), live.stats(until)
        ts = np.full(len(ids), until)
    else:
        ids, rows, ts = snapshot["stream_user_id"], snapshot[view.name], snapshot["stream_ts"]
    if job.since is None:
        return ids, rows, ts
    heard_ts = live.last_ts if view is USER_PROFILE else live.item_last_ts if view is ITEM_STATS else ts
    due = (heard_ts >= job.since) & (job.since < until)
    return ids[due], rows[due], ts[due]


def run_row(
    n: int, job: JobRun, started: float, finished: float, newest: float, *,
    rows_read: int, rows_written: int, status: str,
) -> Row:  # fmt: skip
    """A row of materialization_runs. n: number of the run. started, finished: world seconds. newest: event time of the
    newest event that there is, -inf where there is none; what lies outside the run's window is none of its input."""
    return row_of.materialization_runs(
        run_id=str(n), view=job.view, started=started, finished=finished, window_start=job.window_start,
        window_end=job.until, source_max_event_ts=newest if math.isfinite(newest) and job.counts(newest) else None,
        rows_read=rows_read, rows_written=rows_written, status=status,
    )  # fmt: skip
