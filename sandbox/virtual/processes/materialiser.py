"""The batch job that counts the event stream in and writes the batch views, in world time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sandbox.base import artefacts
from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.features import USER_PROFILE, FeatureView, view_named
from sandbox.base.jobs import JobRun
from sandbox.pipeline.live_features import LiveFeatures
from sandbox.runtime.materialiser import EVERY_S, LEAST_WALL_S, computed, job_call, pieces, run_row, views_of
from sandbox.virtual.machine.fabric import Fabric, Recording
from sandbox.virtual.machine.loop import Task
from sandbox.virtual.processes.store import Store
from sandbox.virtual.processes.stream import Stream
from services.events.places import checked_update, of_updates
from services.skeleton.points import MATERIALISER
from services.skeleton.seams import Call, passed_on


@dataclass(frozen=True)
class _View:
    """What a run writes of one view: ids [n], rows float32 [n, columns], event times [n]."""

    view: FeatureView
    ids: np.ndarray
    rows: np.ndarray
    ts: np.ndarray


class Materialiser:
    """sandbox.runtime.materialiser in world time. settle: has all that is open computed, before rows change."""

    def __init__(
        self, world_dir: Path, catalogue: Catalogue, stream: Stream, store: Store, fabric: Fabric, row: Recording,
        settle: Callable[[], None],
    ) -> None:  # fmt: skip
        artefact = artefacts.load(world_dir / "registry", "features", artefacts.FEATURES_VERSION)
        self._snapshot = artefact.arrays("features.safetensors")
        self._live = LiveFeatures(
            catalogue,
            self._snapshot["user_id"],
            self._snapshot["user_profile"],
            self._snapshot["item_stats"],
            artefact.manifest.created_ts,
        )
        self.stream, self.store, self.world, self._row = stream, store, fabric.world, row
        self._fabric, self._settle = fabric, settle
        self._seams = fabric.seams[MATERIALISER]
        self._n = self._position = 0
        self._task: Task | None = None  # a run that takes time: a seam holds it, or it has much to do
        self.every_s = max(EVERY_S, LEAST_WALL_S * self.world.speed)

    def run(self, *, stream_views: bool = False) -> None:
        """One run over all batch views, unless one is in progress. stream_views: the snapshot's own too, into an
        empty store."""
        if self._task is not None:
            return
        self._n += 1
        started, view = self.world.now(), USER_PROFILE
        try:
            self.store.require("read")
            read = self._live.add(self.stream.entries[self._position :])
            self._position = len(self.stream.entries)
            until = started if self._n > 1 else max(self._live.ts, self._live.newest_event_ts)
            if self._seams.write or self._seams.job:
                task = self._fabric.loop.spawn(self._through(started, until, read, stream_views))
                self._task = None if task.fired else task
                return
            for view in views_of(stream_views):
                job = JobRun(view.name, until)
                of = self._computed(job)
                self._put(of)
                self._note(started, job, self._n_read(of, job, read), len(of.ids))
        except SandboxError as error:
            self._failed(view, started, error)

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self._task is not None

    def stop(self) -> None:
        """What is in progress ends where it is, as with its process."""
        if self._task is not None:
            self._fabric.loop.cancel(self._task)
            self._task = None

    def forget_position(self) -> None:
        """The stream begins anew."""
        self._position = 0

    async def _through(self, started: float, until: float, read: list[float], stream_views: bool) -> None:
        """The same through the seams. A run that fails is noted, and the next one tries."""
        view = USER_PROFILE
        try:
            for view in views_of(stream_views):
                await self._job(JobRun(view.name, until), read)
        except SandboxError as error:
            self._failed(view, started, error)
        self._task = None

    async def _job(self, due: JobRun, read: list[float]) -> None:
        """The run of one view, noted unless it was left out. read: event times of what came in since the run before."""
        began, job, n_read = self.world.now(), due, len(read)

        async def proceed(call: Call) -> int:
            nonlocal began, job, n_read
            began, job = self.world.now(), call.payload
            of = self._computed(job)
            n_read = self._n_read(of, job, read)
            return sum([await self._write(of, job) for _ in range(job.passes)])

        call, seam = job_call(due, self._n), self._seams.job
        n = await (self._fabric.through(seam, call, proceed) if seam else proceed(call))
        if n is not None:
            self._note(began, replace(job, view=due.view), n_read, n)

    async def _write(self, of: _View, job: JobRun) -> int:
        """Returns rows written. What a usual run costs the machine nobody notices: its time is not modelled."""
        if job.usual and not self._seams.write:
            self._settle()
            self._put(of)
            return len(of.ids)
        n = 0
        for part in pieces(len(of.ids), job.rows_per_write):
            if not job.usual:
                await self._work(len(of.ids[part]))
            n += await self._piece(of, part)
        return n

    async def _work(self, n: int) -> None:
        """Rows are packed, which takes a core, and written, which takes the store, in one command."""
        fabric, of = self._fabric, self._fabric.timing.rows_written
        await fabric.burst(fabric.processes[MATERIALISER], n * of.packed_us / 1e6)
        await fabric.burst(fabric.processes["redis"], n * of.stored_us / 1e6)

    def _failed(self, view: FeatureView, started: float, error: SandboxError) -> None:
        """Of a store that is away or refuses, or of a wrapper: noted, and the next run tries again."""
        self._note(started, JobRun(view.name, started), 0, 0, error.kind.code)
        self._fabric.log(MATERIALISER, "error", "feature write failed", error=repr(error)[:200])

    async def _piece(self, of: _View, part: slice) -> int:
        """Writes a part of a view, through the write seam. Returns rows written."""
        if not self._seams.write:
            self._settle()
            self._put(_View(of.view, of.ids[part], of.rows[part], of.ts[part]))
            return len(of.ids[part])
        updates = list(zip(of.ids[part].tolist(), of.ts[part].tolist(), of.rows[part].copy(), strict=True))
        call = Call(
            "write", MATERIALISER, of.view.name, "write", payload=updates,
            attributes={"event_ts": float(of.ts[part].max()), "n": len(updates)},
            places=of_updates(of.view, self._live.catalogue),
        )  # fmt: skip
        passed = await self._seams.write.run(call, passed_on)
        written = [checked_update(of.view, update) for update in passed]
        catalogue = self._live.catalogue
        n = catalogue.n_items if of.view.entity == "item" else catalogue.n_users
        there = [update for update in written if 0 <= update[0] < n]  # others nobody reads
        if there:
            ids, ts, rows = zip(*there, strict=True)
            self._settle()
            self._put(_View(of.view, np.array(ids), np.stack(rows), np.array(ts)))
        return len(written)

    def _computed(self, job: JobRun) -> _View:
        """What a run writes of its view."""
        return _View(view_named(job.view), *computed(job, self._live, self._snapshot))

    def _put(self, of: _View) -> None:
        self.store.put(of.view, of.ids, of.rows, of.ts, self._n)

    def _n_read(self, of: _View, job: JobRun, read: list[float]) -> int:
        if of.view.stream:
            return len(of.ids)
        return sum(map(job.counts, read)) + (len(of.ids) if self._n == 1 else 0)

    def _note(self, started: float, job: JobRun, n_read: int, n: int, status: str = "OK") -> None:
        self._row(MATERIALISER, "materialization_runs", run_row(
            self._n, job, started, self.world.now(), self._live.newest_event_ts,
            rows_read=n_read, rows_written=n, status=status,
        ))  # fmt: skip
