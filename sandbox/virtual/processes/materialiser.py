"""The batch job that counts the event stream in and writes the batch views, in world time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sandbox.base import artefacts
from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, FeatureView
from sandbox.pipeline.live_features import LiveFeatures
from sandbox.runtime.materialiser import EVERY_S, LEAST_WALL_S, pieces, run_row
from sandbox.virtual.machine.fabric import Fabric, Recording
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
        self._seam = fabric.seams[MATERIALISER].write
        self._n = self._position = 0
        self._busy = False  # a run is held on its way through the seam
        self.every_s = max(EVERY_S, LEAST_WALL_S * self.world.speed)

    def run(self, *, stream_views: bool = False) -> None:
        """One run over all batch views, unless one is in progress. stream_views: the snapshot's own too, into an
        empty store."""
        if self._busy:
            return
        self._n += 1
        started = self.world.now()
        try:
            self.store.require("read")
            read = self._live.add(self.stream.entries[self._position :])
            self._position = len(self.stream.entries)
            until = started if self._n > 1 else max(self._live.ts, self._live.newest_event_ts)
            if self._seam:
                self._fabric.loop.spawn(self._through(started, until, read, stream_views))
                return
            for of in self._views(until, stream_views):
                self._put(of)
                self._note(of.view, started, until, self._n_read(of, read), len(of.ids))
        except SandboxError as error:
            self._failed(started, error)

    def forget_position(self) -> None:
        """The stream begins anew."""
        self._position = 0

    async def _through(self, started: float, until: float, read: int, stream_views: bool) -> None:
        """The same through the write seam, a piece at a time. A run that fails is noted, and the next one tries."""
        self._busy = True
        try:
            for of in self._views(until, stream_views):
                began, n = self.world.now(), 0
                for part in pieces(len(of.ids)):
                    n += await self._piece(of, part)
                self._note(of.view, began, until, self._n_read(of, read), n)
        except SandboxError as error:
            self._failed(started, error)
        finally:
            self._busy = False

    def _failed(self, started: float, error: SandboxError) -> None:
        """Of a store that is away or refuses, or of a wrapper: noted, and the next run tries again."""
        self._note(USER_PROFILE, started, started, 0, 0, error.kind.code)
        self._fabric.log(MATERIALISER, "error", "feature write failed", error=repr(error)[:200])

    async def _piece(self, of: _View, part: slice) -> int:
        """Writes a part of a view. Returns rows written."""
        updates = list(zip(of.ids[part].tolist(), of.ts[part].tolist(), of.rows[part].copy(), strict=True))
        call = Call(
            "write", MATERIALISER, of.view.name, "write", payload=updates,
            attributes={"event_ts": float(of.ts[part].max()), "n": len(updates)},
            places=of_updates(of.view, self._live.catalogue),
        )  # fmt: skip
        passed = await self._seam.run(call, passed_on)
        written = [checked_update(of.view, update) for update in passed]
        catalogue = self._live.catalogue
        n = catalogue.n_items if of.view.entity == "item" else catalogue.n_users
        there = [update for update in written if 0 <= update[0] < n]  # others nobody reads
        if there:
            ids, ts, rows = zip(*there, strict=True)
            self._settle()
            self._put(_View(of.view, np.array(ids), np.stack(rows), np.array(ts)))
        return len(written)

    def _views(self, until: float, stream_views: bool) -> Iterator[_View]:
        users, n_items = self._snapshot["user_id"], self._live.catalogue.n_items
        yield _View(USER_PROFILE, users, self._live.profile(until), np.full(len(users), until))
        yield _View(ITEM_STATS, np.arange(n_items), self._live.stats(until), np.full(n_items, until))
        if stream_views:
            ids, ts = self._snapshot["stream_user_id"], self._snapshot["stream_ts"]
            for view in (USER_SESSION, USER_SEEN):
                yield _View(view, ids, self._snapshot[view.name], ts)

    def _put(self, of: _View) -> None:
        self.store.put(of.view, of.ids, of.rows, of.ts, self._n)

    def _n_read(self, of: _View, read: int) -> int:
        if of.view.stream:
            return len(of.ids)
        return read + (len(of.ids) if self._n == 1 else 0)

    def _note(self, view: FeatureView, started: float, until: float, n_read: int, n: int, status: str = "OK") -> None:
        self._row(MATERIALISER, "materialization_runs", run_row(
            self._n, view.name, started, self.world.now(), until, self._live.newest_event_ts,
            rows_read=n_read, rows_written=n, status=status,
        ))  # fmt: skip
