"""What a machine needs to run the stack, looked at one by one, each with what to do about it."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.runtime.local import ports
from sandbox.runtime.local.redis_server import find_redis

_PACKAGES = (  # import names
    "grpc", "grpc_health", "grpc_reflection", "numpy", "scipy", "faiss", "torch", "duckdb", "pyarrow",
    "redis", "msgpack", "pydantic", "safetensors", "psutil", "rich", "prompt_toolkit", "locust",
)  # fmt: skip
_MEMORY_MB = 2_500  # the stack at idle takes 1.2 GB, training the laptop world's models another
_DISK_MB = 2_000  # worlds, models and a few runs
_REINSTALL = "install the project anew in its virtual environment: make setup"


@dataclass(frozen=True)
class Finding:
    """One check. needed: the stack cannot run without. fix: what to do when it is not ok."""

    check: str
    ok: bool
    seen: str
    fix: str
    needed: bool = True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> list[Finding]:
    """All checks, none of which changes anything."""
    return [
        _python(), _packages(), _libraries(), _redis(), _memory(), _disk(), _loopback(), _ports(),
        _terminal(), _browser(),
    ]  # fmt: skip


def _python() -> Finding:
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    fix = "use Python 3.11 or 3.12, e.g. python3.12 -m venv .venv"
    return Finding("Python", ok, f"{platform.python_version()} on {platform.platform()}", fix)


def _packages() -> Finding:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    seen = f"missing: {', '.join(missing)}" if missing else f"{len(_PACKAGES)} found"
    return Finding("packages", not missing, seen, _REINSTALL)


def _libraries() -> Finding:
    """Wheels with compiled parts, loaded for real: a missing shared library shows only then."""
    failed = []
    for name in ("grpc", "faiss", "duckdb", "pyarrow", "torch"):
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a broken wheel raises
            failed.append(f"{name}: {error}"[:200])
    seen = "; ".join(failed) or "grpc, faiss, duckdb, pyarrow and torch load"
    return Finding("shared libraries", not failed, seen, f"{_REINSTALL}; on Linux they need glibc 2.28")


def _redis() -> Finding:
    try:
        return Finding("redis-server", True, find_redis(), "")
    except SandboxError as error:
        return Finding("redis-server", False, str(error.seen), error.fix)


def _memory() -> Finding:
    free_mb = psutil.virtual_memory().available >> 20
    fix = f"close other programs: about {_MEMORY_MB} MB should be free"
    return Finding("memory", free_mb >= _MEMORY_MB, f"{free_mb} MB available", fix)


def _disk() -> Finding:
    place = paths.home()
    while not place.exists():
        place = place.parent
    free_mb = shutil.disk_usage(place).free >> 20
    fix = f"free space, or set SANDBOX_HOME to another disk: about {_DISK_MB} MB are needed"
    return Finding("disk", free_mb >= _DISK_MB, f"{free_mb} MB free for {paths.home()}", fix)


def _loopback() -> Finding:
    try:
        with (
            socket.create_server((ports.LOOPBACK, 0)) as server,
            socket.create_connection(server.getsockname(), timeout=2),
        ):
            pass
        return Finding("loopback", True, f"{ports.LOOPBACK} answers", "")
    except OSError as error:
        fix = "bring the loopback interface up: ip link set lo up"
        return Finding("loopback", False, str(error), fix)


def _ports() -> Finding:
    try:
        free = ports.pick(16, Path("doctor"))
        return Finding("ports", True, f"16 free from {free[0]} on", "")
    except SandboxError as error:
        return Finding("ports", False, str(error.seen), error.fix)


def _terminal() -> Finding:
    ok, encoding = sys.stdout.isatty(), sys.stdout.encoding
    seen = f"{'a terminal' if ok else 'no terminal'}, {encoding}"
    fix = "the drill shell needs a terminal; without one use the commands with --json"
    return Finding("terminal", ok, seen, fix, needed=False)


def _browser() -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    fix = "to print PDF, and for tests of the pages: apt install chromium"
    return Finding("chromium", browser is not None, browser or "not on the PATH", fix, needed=False)
