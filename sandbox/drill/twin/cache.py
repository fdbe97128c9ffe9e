"""What is kept of runs that were made, and for how long: SANDBOX_HOME/twins, bounded in bytes.

The least recently used go first. What a living process asked for last stays, whatever its age: it says so in
SANDBOX_HOME/twins-in-use/<pid>, one key a line. Who makes a run holds SANDBOX_HOME/twins-in-use/<key>.lock.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.base import locks, paths
from sandbox.base.errors import SandboxError
from sandbox.base.run import write_atomically

LIMIT_GB = "SANDBOX_TWIN_CACHE_GB"  # environment variable
DEFAULT_GB = 2.0  # some hundred ledgers and twenty lakes of ten-minute drills
_HELD_KEYS = 100  # of one process; more than one comparison ever looks at


@dataclass(frozen=True)
class Kept:
    """One run that is kept. key: of its plan. used_ts: seconds since the epoch, wall. lake: with telemetry."""

    key: str
    size: int  # bytes
    used_ts: float
    lake: bool
    in_use: bool


def root() -> Path:
    return paths.home() / "twins"


def limit_bytes() -> int:
    """The bound. Raises CFG-001 for a setting that is no size."""
    text = os.environ.get(LIMIT_GB, str(DEFAULT_GB))
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 <= size < 1e6:
        raise SandboxError(
            "CFG-001",
            where=f"environment {LIMIT_GB}",
            seen=text,
            expected="gigabytes, 0 or more",
            fix=f"leave it out for {DEFAULT_GB:g}",
        )
    return int(size * 1e9)


def hold(keys: Iterable[str]) -> None:
    """Says that this process uses these runs, until it has asked for many others or ends."""
    wanted = list(dict.fromkeys(keys))
    path = _in_use() / str(os.getpid())
    before = path.read_text().split() if path.exists() else []
    others = [key for key in before if key not in wanted]
    most = max(0, _HELD_KEYS - len(wanted))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, "\n".join([*(others[-most:] if most else []), *wanted]))


@contextmanager
def alone(key: str, wait: bool) -> Iterator[bool]:
    """Whether nobody else makes that run, and for as long as this holds nobody will. With wait it is True: when
    the other is done."""
    path = _in_use() / f"{key}.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as held:
        try:
            held.enter_context(locks.alone(path) if wait else locks.at_once(path))
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)  # who waits for it, or comes now, finds the run


def kept() -> list[Kept]:
    """Everything there is, the least recently used first."""
    held, found = _held(), []
    keys = {p.stem for pattern in ("*.npz", "*.run") for p in root().glob(pattern)}
    for key in keys:
        parts = [p for p in (root() / f"{key}.npz", root() / f"{key}.run") if p.exists()]
        if not parts:
            continue  # another process has just cleared it
        sizes = [_size(p) for p in parts]
        used = max((_used(p) for p in parts), default=0.0)
        found.append(Kept(key, sum(sizes), used, len(parts) == 2 or parts[0].suffix == ".run", key in held))
    return sorted(found, key=lambda one: (one.used_ts, one.key))


def make_room(limit: int | None = None) -> list[Kept]:
    """Removes the least recently used until the rest is within the bound. Returns what it removed.

    limit: bytes; None for the setting. What is in use stays, even beyond the bound."""
    most = limit_bytes() if limit is None else limit
    there = kept()
    size, gone = sum(one.size for one in there), []
    for one in there:
        if size <= most:
            break
        if one.in_use:
            continue
        _remove(one.key)
        size -= one.size
        gone.append(one)
    return gone


def document() -> dict[str, Any]:
    """What is there, for `sandbox cache`."""
    there = kept()
    return {
        "directory": str(root()),
        "bytes": sum(one.size for one in there),
        "limit_bytes": limit_bytes(),
        "runs": len(there),
        "with_telemetry": sum(one.lake for one in there),
        "in_use": sum(one.in_use for one in there),
        "oldest_ts": min((one.used_ts for one in there), default=None),
    }


def _held() -> set[str]:
    """Keys that some living process uses; what the dead left behind is taken away."""
    held: set[str] = set()
    for path in _in_use().glob("[0-9]*"):
        if not path.name.isdigit():
            continue  # being written
        if psutil.pid_exists(int(path.name)):
            held |= set(path.read_text().split())
        else:
            path.unlink(missing_ok=True)
    return held


def _in_use() -> Path:
    return paths.home() / "twins-in-use"


def _remove(key: str) -> None:
    (root() / f"{key}.npz").unlink(missing_ok=True)  # first: whoever sees it sees all of it
    shutil.rmtree(root() / f"{key}.run", ignore_errors=True)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(_stat(p).st_size for p in files if p.is_file())


def _used(path: Path) -> float:
    return _stat(path).st_mtime


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError:  # removed by another process meanwhile
        return os.stat_result((0,) * 10)
