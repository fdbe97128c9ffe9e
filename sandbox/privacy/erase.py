"""Erasing people from a world: what is done, in which order, and the receipt that says what came of it.

The tombstone is on disk before the first row goes: from then on no writer brings the person back, and a deletion that
was killed is finished by asking for it again. A store that cannot be reached leaves the receipt incomplete.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base import tombstones
from sandbox.base.errors import SandboxError
from sandbox.base.locks import at_once, is_held
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import DRILL_LOCK, is_alive, write_atomically
from sandbox.base.tombstones import Tombstones, n_users
from sandbox.privacy import models, people
from sandbox.privacy.columns import Who
from sandbox.privacy.people import Person
from sandbox.privacy.stores import FAILURES, Store, failure, run_dirs, run_stores, stores, world_stores

_PUBLISHED_S = 3  # wall seconds; a collector publishes twice in each
_WORKERS = 2  # stores at a time; Arrow lets go of the interpreter while it packs


@dataclass(frozen=True)
class StoreResult:
    """Rows about them before and after; None where it could not be told, and why."""

    name: str
    before: int | None
    after: int | None
    error: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        return {"before": self.before, "after": self.after} | ({"error": self.error} if self.error else {})


@dataclass(frozen=True)
class Deletion:
    """What came of one request. users: as they were named. already: all of them had been erased before."""

    users: tuple[str, ...]
    stores: tuple[StoreResult, ...]
    models: tuple[str, ...]
    dry_run: bool = False
    already: bool = False
    receipt: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return not self.dry_run and all(store.after == 0 for store in self.stores)

    def document(self) -> dict[str, Any]:
        """What `--json` prints: {user, complete, stores: {name: {before, after}}, models, receipt}."""
        who: dict[str, Any] = {"user": self.users[0]} if len(self.users) == 1 else {"users": len(self.users)}
        return {
            **who, "complete": self.complete, "dry_run": self.dry_run, "already": self.already,
            "stores": {store.name: store.document() for store in self.stores},
            "models": list(self.models), "receipt": self.receipt,
        }  # fmt: skip


def erase(
    world: Path, who: Sequence[Person], *, now: float, dry_run: bool = False, runs: Sequence[Path] | None = None,
    progress: ProgressFn = quiet,
) -> Deletion:  # fmt: skip
    """Erases these people from every store there is. world: its directory. now: wall seconds since the epoch. runs:
    their directories; None for those of SANDBOX_HOME.

    Raises PRIV-004 while somebody exports, erases or drills in this world, PRIV-003 where its tombstones are damaged.
    """
    runs = runs_of(world, runs)
    with _alone(world, runs, shared=dry_run):
        stones = tombstones.load(world)
        group = Who(np.array(sorted({p.user for p in who}), np.int64), n_users(world))
        already = all(stones.of(person.user) is not None for person in who)
        progress("looking for stores", None)
        there = stores(world, group.n_users, runs=runs)
        names = tuple(person.name for person in who)
        seen = tuple(models.that_saw(world, group.users, runs))
        if dry_run:
            found = _each(there, lambda store: _counted(store, group), progress)
            return Deletion(names, tuple(found), seen, dry_run=True, already=already)
        receipt = _receipt_of(world, who, stones, now)
        stones = tombstones.add(world, [(p.user, p.key) for p in who], erased_ts=now, receipt=receipt)
        recount(world, stones)  # at once: what is being made of the old history is out of date
        results = _each(there, lambda store: _erased(store, group), progress)
        results = _once_more(world, runs, group, results)
        recount(world, stones)
        done = Deletion(names, tuple(results), seen, already=already)
        return replace(done, receipt=_written(world, done, who, stones, receipt, now))


def heed(fresh: Path, before: Path) -> None:
    """A world that is about to take the place of another: the tombstones go over, and whoever is erased goes again.

    fresh: its directory, whole but for this. before: the directory of the world that it replaces, if there is one.
    Raises PRIV-003.
    """
    stones = tombstones.load(before)
    if not stones.stones:
        return
    place = tombstones.folder(fresh)
    place.mkdir(exist_ok=True)
    for path in tombstones.folder(before).rglob("*"):
        if path.is_file() and path.suffix != ".parquet":  # what is derived is derived anew
            copy = place / path.relative_to(tombstones.folder(before))
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
            copy.chmod(path.stat().st_mode & 0o777)
    table = pq.read_table(fresh / "public" / "users.parquet", columns=["user_id", "key"])
    keys, numbers = table["key"].to_pylist(), table["user_id"].to_pylist()
    rows = stones.keys(keys)
    tombstones.renumbered(fresh, stones, {tombstones.key_hash(stones.salt, keys[r]): numbers[r] for r in rows.tolist()})
    group = Who(np.array(sorted(numbers[row] for row in rows.tolist()), np.int64), n_users(fresh))
    for store in world_stores(fresh, group.n_users):
        if store.count(group):
            store.erase(group)
    recount(fresh, tombstones.load(fresh))


def recount(world: Path, stones: Tombstones) -> None:
    """The manifest, of the history as it is now. Its content hash names the set of the erased: what is kept of this
    world by its hash (models, simulated runs) was made from another."""
    path = world / "world.json"
    manifest = json.loads(path.read_text())
    manifest["content_hash"] = stones.marked(manifest["content_hash"])
    for name, table in (("impressions", "impressions"), ("events", "outcomes")):
        with suppress(OSError, pa.ArrowException):  # damaged: the deletion says so
            manifest[name] = pq.read_metadata(world / "public" / f"{table}.parquet").num_rows
    write_atomically(path, json.dumps(manifest, indent=1))


def runs_of(world: Path, among: Iterable[Path] | None = None) -> list[Path]:
    """Run directories of that world, and such as nobody can tell of. among: None for those of SANDBOX_HOME."""
    return [run for run in (run_dirs() if among is None else among) if any(True for _ in run_stores(run, world, 0))]


@contextmanager
def locked(world: Path, *, shared: bool) -> Iterator[None]:
    """Exports side by side, a deletion alone. Raises PRIV-004 at once where that cannot be."""
    tombstones.folder(world).mkdir(exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(at_once(tombstones.folder(world) / "lock", shared=shared))
        except BlockingIOError as error:
            raise SandboxError(
                "PRIV-004",
                where=f"world {world.name}",
                seen="a deletion that runs" if shared else "an export or a deletion that runs",
                expected="nobody who reads or erases people of this world",
                fix="wait until it is done, then ask again: nothing was changed",
            ) from error
        yield


@contextmanager
def _alone(world: Path, runs: Iterable[Path], *, shared: bool) -> Iterator[None]:
    with locked(world, shared=shared):
        for run_dir in () if shared else runs:
            if is_held(run_dir / DRILL_LOCK):
                raise SandboxError(
                    "PRIV-004",
                    where=f"world {world.name}",
                    seen=f"a drill that runs in it: {run_dir.name}",
                    expected="a world that no drill is played in: it would go on in another one",
                    fix="end the drill, then ask again: nothing was changed",
                )
        yield


def _each(there: Sequence[Store], work: Callable[[Store], StoreResult], progress: ProgressFn) -> list[StoreResult]:
    """In order; two at a time, but tables of one lake one after the other: the last of them says whose the others are."""
    groups: dict[str, list[Store]] = {}
    for store in there:
        groups.setdefault(store.name.rpartition("/")[0] if "/lake/" in store.name else store.name, []).append(store)
    done: dict[str, StoreResult] = {}

    def run(group: list[Store]) -> list[StoreResult]:
        return [work(store) for store in group]

    with ThreadPoolExecutor(_WORKERS) as pool:
        for results in pool.map(run, sorted(groups.values(), key=lambda g: -_size(g[0]))):
            done |= {result.name: result for result in results}
            progress("stores", len(done) / max(1, len(there)))
    return [done[store.name] for store in there]


def _size(store: Store) -> int:
    path = getattr(store, "path", None)
    return path.stat().st_size if isinstance(path, Path) and path.exists() else 0


def _counted(store: Store, who: Who) -> StoreResult:
    try:
        held = store.count(who)
    except FAILURES as error:
        return StoreResult(store.name, None, None, failure(error))
    return StoreResult(store.name, held, held)


def _erased(store: Store, who: Who) -> StoreResult:
    """Counted after it is done: what a receipt says is what was found, not what was meant."""
    before: int | None = None
    try:
        before = store.count(who)
        if before:
            store.erase(who)
        return StoreResult(store.name, before, store.count(who) if before else 0)
    except FAILURES as error:
        return StoreResult(store.name, before, None, failure(error))


def _once_more(world: Path, runs: Iterable[Path], who: Who, results: list[StoreResult]) -> list[StoreResult]:
    """Of runs that are up: what their collector was about to write when it had not yet seen the tombstone."""
    by_name = {result.name: result for result in results}
    for run_dir in runs:
        if not is_alive(run_dir):
            continue
        _next_generation(run_dir / "lake" / "manifest.json")
        for store in run_stores(run_dir, world, who.n_users):
            first, later = by_name.get(store.name, StoreResult(store.name, 0, 0)), _erased(store, who)
            before = None if first.before is None or later.before is None else first.before + later.before
            by_name[store.name] = StoreResult(store.name, before, later.after, later.error)
    return list(by_name.values())


def _next_generation(manifest: Path) -> None:
    """Until the lake was published once more, or for as long as a collector that is alive never takes."""
    seen = _changed(manifest)
    for _ in range(_PUBLISHED_S * 20):
        if _changed(manifest) != seen:
            return
        time.sleep(0.05)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _receipt_of(world: Path, who: Sequence[Person], stones: Tombstones, now: float) -> str:
    """The one that they have already, together; else one of their own."""
    there = {stone.receipt if (stone := stones.of(person.user)) else "" for person in who}
    if len(there) == 1 and "" not in there:
        return there.pop()
    text = json.dumps([world.name, sorted(p.user for p in who), now, os.getpid()])
    return "rc-" + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _written(
    world: Path, done: Deletion, who: Sequence[Person], stones: Tombstones, receipt: str, now: float
) -> dict[str, Any]:
    """Writes WORLD/privacy/receipts/ID.json, and tells what of it is answered. It names nobody: hashes alone. Asking
    again adds an attempt, unless there was nothing left to do."""
    path = tombstones.folder(world) / "receipts" / f"{receipt}.json"
    told: dict[str, Any] = {
        "id": receipt, "world": world.name, "erased_ts": now, "complete": False,
        "people": [tombstones.user_hash(stones.salt, person.user) for person in who],
        "due": people.due(world, who, "deletion"), "attempts": [],
    }  # fmt: skip
    if path.exists():
        told = json.loads(path.read_text())
    if not told["complete"] or not done.complete or any(store.before for store in done.stores):
        attempt = {"ts": now, "stores": {s.name: s.document() for s in done.stores}, "models": list(done.models)}
        told |= {"complete": done.complete, "attempts": [*told["attempts"], attempt]}
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(told, indent=1))
    short = {key: told[key] for key in ("id", "erased_ts", "complete", "due")}
    hashes = told["people"]
    place = f"worlds/{world.name}/{tombstones.FOLDER}/receipts/{receipt}.json"
    return {**short, "people": hashes if len(hashes) == 1 else len(hashes), "file": place}
