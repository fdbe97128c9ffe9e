"""A checkout of this project, this one or another, and a stack of its code that can be paused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.base.worlds import FORMAT, world_dir
from sandbox.bench import holder
from sandbox.bench.processes import cpu_s

OWN = Path(__file__).resolve().parents[2]
APART = ("supervisor", "redis", "collector", "materialiser")  # not on a recommendation's way, or no code of ours
_END_S = 60.0  # wall seconds that a stack gets to be taken down
_PROBE_S = 60.0
_MARKS = ("sandbox/runtime/stack.py", "sandbox/base/worlds.py", "services")
_PROBE = """
import json, sys
from importlib.metadata import version
import sandbox.base.worlds as worlds, sandbox.runtime.stack
print(json.dumps({"from": worlds.__file__, "format": worlds.FORMAT, "python": sys.version.split()[0],
                  "versions": {name: version(name) for name in ("grpcio", "protobuf", "numpy", "torch", "redis")}}))
"""


@dataclass(frozen=True)
class Checkout:
    """root: its directory. python: what runs it. told: {from, format, python, versions} by its own code."""

    root: Path
    python: str
    told: dict[str, Any]

    @classmethod
    def at(cls, root: Path) -> Checkout:
        """It is run with the Python of its own .venv where there is one, else with this one.

        Raises CFG-002 for no directory, CFG-004 for one that is no checkout, whose code can't be read, or whose worlds
        are of another format.
        """
        root = root.expanduser().resolve()
        if not root.is_dir():
            raise SandboxError(
                "CFG-002", where="bench serving --against", seen=str(root), expected="a directory",
                fix="make one: git worktree add DIR COMMIT",
            )  # fmt: skip
        if lacks := [mark for mark in _MARKS if not (root / mark).exists()]:
            raise _refused(f"{root}, without {', '.join(lacks)}", "a checkout of this project",
                           "name its top directory; git worktree add DIR COMMIT makes one")  # fmt: skip
        own = root / ".venv" / "bin" / "python"
        python = str(own) if root != OWN and own.exists() else sys.executable
        return cls(root, python, _probed(root, python))

    def conditions(self) -> dict[str, Any]:
        """What it is: {commit, changed, python, versions}; commit None outside git."""

        def git(*arguments: str) -> str | None:
            with suppress(OSError, subprocess.CalledProcessError):
                command = ["git", "-C", str(self.root), *arguments]
                return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
            return None

        return {
            "commit": git("rev-parse", "--short=12", "HEAD"),
            "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
            "python": self.told["python"],
            "versions": self.told["versions"],
        }


def _probed(root: Path, python: str) -> dict[str, Any]:
    said, code = "", -1
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [python, "-P", "-c", _PROBE], cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PROBE_S,
        )  # fmt: skip
        said, code = done.stderr.strip(), done.returncode
    if code:
        raise _refused(f"{root}: {said.splitlines()[-1] if said else 'no answer'}", "code that can be imported",
                       f"try it: cd {root} && {python} -c 'import sandbox.runtime.stack'")  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    if not Path(told["from"]).resolve().is_relative_to(root):
        raise _refused(f"code from {told['from']}", f"code from {root}", "give the checkout a .venv of its own")
    if told["format"] != FORMAT:
        raise _refused(f"worlds of format {told['format']}", f"worlds of format {FORMAT}, as here: both must serve one",
                       "compare with a commit since the last change of the format")  # fmt: skip
    return told


def _refused(seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("CFG-004", where="bench serving --against", seen=seen, expected=expected, fix=fix)


class HeldStack:
    """A stack of a checkout's code, held by a process of its own; with what the bench has to know of it."""

    def __init__(self, name: str, process: subprocess.Popen[str], run_dir: Path) -> None:
        self.name, self._process, self.run_dir = name, process, run_dir
        self._run: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
        self._mains: dict[str, int] = {}

    @property
    def gateway(self) -> str:
        return str(self._run["addresses"]["gateway"])

    @property
    def world_dir(self) -> Path:
        return Path(self._run["world_dir"])

    def pause(self) -> None:
        self._order("pause")

    def resume(self) -> None:
        self._order("resume")

    def pids(self) -> dict[str, list[int]]:
        """By service, those of all its instances, and of what they have started. Raises RUN-008 when one has ended."""
        found: dict[str, list[int]] = {}
        for row in json.loads((self.run_dir / "services.json").read_text()):
            try:
                children = psutil.Process(row["pid"]).children(recursive=True) if row["pid"] else None
            except psutil.Error:
                children = None
            if children is None:
                raise _broken(self.name, f"{row['name']} has ended")
            found.setdefault(row["name"], []).extend([row["pid"], *(child.pid for child in children)])
        return found

    def cpu_s(self) -> dict[str, float]:
        """By service. Raises RUN-008 when a process has ended, or is another one than when the stack came up."""
        pids = self.pids()
        mains = {name: of[0] for name, of in pids.items()}
        self._mains = self._mains or mains
        if mains != self._mains:
            raise _broken(self.name, "a process was restarted")
        try:
            used = cpu_s([pid for of in pids.values() for pid in of])
        except psutil.Error as error:
            raise _broken(self.name, str(error)) from error
        return {name: sum(used[pid] for pid in of) for name, of in pids.items()}

    def _order(self, word: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()
        _line(self._process, self.name)


@contextmanager
def held(checkout: Checkout, name: str, world: str, place: Path, progress: ProgressFn) -> Iterator[HeldStack]:
    """A running stack of its code, with a copy of the world in `place`; taken down with this, however that is.

    The copy, as other code may build models of its own into a world, and must not do so into ours. Raises what the
    other code says when it does not start, RUN-008 when it says nothing.
    """
    home = place / name
    (home / "worlds").mkdir(parents=True)
    shutil.copytree(world_dir(world), home / "worlds" / world)
    run_dir = home / "run"
    with (place / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [checkout.python, "-P", holder.__file__, str(run_dir), world],
            cwd=checkout.root,  # its processes are started by -m, which looks there first
            env={**os.environ, "PYTHONPATH": str(checkout.root), "SANDBOX_HOME": str(home)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True,  # Ctrl-C at the terminal is the bench's to answer
        )  # fmt: skip
    try:
        while True:
            told = _line(process, name, place / f"{name}.log")
            if "progress" in told:
                progress(f"{name}: {told['progress'][0]}", told["progress"][1])
            elif "error" in told:
                raise _its_error(name, told["error"])
            else:
                break
        yield HeldStack(name, process, run_dir)
    finally:
        _end(process, run_dir)


def _its_error(name: str, told: dict[str, Any]) -> SandboxError:
    try:
        return SandboxError.of_json({**told, "where": f"{name}, {told['where']}"})
    except KeyError:  # a code that there is in its code alone
        return _broken(name, json.dumps(told))


def _line(process: subprocess.Popen[str], name: str, log: Path | None = None) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        said = log.read_text(errors="replace").strip()[-1_500:] if log is not None else ""
        raise _broken(name, said or f"it ended, code {process.wait(_END_S)}")
    told: dict[str, Any] = json.loads(line)
    return told


def _end(process: subprocess.Popen[str], run_dir: Path) -> None:
    """It takes its stack down at the end of its stdin. A second Ctrl-C meanwhile, or its own death, has all killed."""
    left = holder.pids(run_dir)
    try:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(_END_S)
    finally:
        code = process.poll()
        if code is None or code < 0:
            for pid in (process.pid, *left):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _broken(name: str, seen: str) -> SandboxError:
    return SandboxError(
        "RUN-008", where=f"bench serving, {name}", seen=seen, expected="a stack that runs until the end",
        fix="start it by hand from its directory: sandbox up",
    )  # fmt: skip
