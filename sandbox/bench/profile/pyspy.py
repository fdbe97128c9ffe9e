"""py-spy on several processes at once: found, started, ended, and what its refusals mean."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.runtime.tether import tether

_SPARE_S = 30.0  # over the time that it samples: it looks at the process first, and draws at the end
_LOOK_S = 0.2
_NOT_PERMITTED = ("permission denied", "operation not permitted", "eperm")


def found() -> str:
    """Its path: beside this Python, or on the PATH. Raises RUN-012."""
    beside = Path(sys.executable).with_name("py-spy")
    path = str(beside) if beside.exists() else shutil.which("py-spy")
    if path is None:
        raise SandboxError(
            "RUN-012", where="sandbox profile", seen="no py-spy", expected="py-spy beside this Python, or on the PATH",
            fix="install it: pip install 'recommender-sandbox[profile]', or pip install py-spy",
        )  # fmt: skip
    return path


def record(
    pids: Mapping[str, int], place: Path, seconds: int, hz: int, gil: bool, progress: ProgressFn
) -> dict[str, Path]:
    """By name, what was sampled of each process meanwhile: a flame graph of what ran, or with `gil` stacks that held Python's
    lock. Raises RUN-012 where it may not look into a process, RUN-008 where it failed otherwise."""
    what, ending = ("who holds the interpreter's lock", "txt") if gil else ("what runs", "svg")
    paths = {name: place / f"{name}.{ending}" for name in pids}
    command = [found(), "record", "--threads", "--rate", str(hz), "--duration", str(seconds)]
    command += ["--gil", "--format", "raw"] if gil else ["--format", "flamegraph"]
    started: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, pid in pids.items():
            started[name] = subprocess.Popen(
                [*command, "--pid", str(pid), "--output", str(paths[name])], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                start_new_session=True, preexec_fn=partial(tether, os.getpid()),
            )  # fmt: skip
        began = time.monotonic()
        while any(one.poll() is None for one in started.values()):
            past_s = time.monotonic() - began
            progress(f"sampling {what}", min(1.0, past_s / seconds))
            if past_s > seconds + _SPARE_S:
                raise _failed(", ".join(n for n, one in started.items() if one.poll() is None), "it does not end")
            time.sleep(_LOOK_S)  # between two looks at the condition
        for name, one in started.items():
            _, said = one.communicate()
            if one.returncode or not paths[name].exists():
                raise _refused(name, said)
    finally:
        _end(list(started.values()))
    return paths


def _end(started: Iterable[subprocess.Popen[str]]) -> None:
    """It lets go of its process at its own end, whatever ends it."""
    for one in started:
        if one.poll() is None:
            one.send_signal(signal.SIGTERM)
    for one in started:
        try:
            one.wait(5)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()
        if one.stderr is not None:
            one.stderr.close()


def _refused(name: str, said: str) -> SandboxError:
    refusal = next((line for line in said.splitlines() if any(sign in line.lower() for sign in _NOT_PERMITTED)), None)
    if refusal is not None:
        return SandboxError(
            "RUN-012", where=f"sandbox profile, {name}", seen=refusal.strip(), expected="leave to trace processes",
            fix="run it as root, or with CAP_SYS_PTRACE (in a container: --cap-add SYS_PTRACE); or set kernel.yama.ptrace_scope to 0",
        )  # fmt: skip
    return _failed(name, said.strip()[-500:] or "it wrote nothing")


def _failed(name: str, seen: str) -> SandboxError:
    return SandboxError(
        "RUN-008", where=f"sandbox profile, {name}", seen=seen, expected="samples of a Python process that lives",
        fix="look whether it was restarted: sandbox status; then try again",
    )  # fmt: skip
