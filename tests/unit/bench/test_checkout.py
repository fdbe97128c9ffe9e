"""Other checkouts: what is refused, and that a stack of theirs is paused, and gone in the end, whatever happens.

The checkout is a made-up one whose stack is a process that waits, so that none of this takes the seconds of a real one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.progress import quiet
from sandbox.base.worlds import FORMAT
from sandbox.bench.checkout import Checkout, held
from tests.services.waiting import wait_for

STACK = """
import json, os, subprocess, sys
from pathlib import Path
from sandbox.base.errors import SandboxError

class Stack:
    @classmethod
    def up(cls, world, *, run_dir, progress):
        progress("starting the services", 0.5)
        if os.environ.get("TEST_REFUSES"):
            raise SandboxError({"code": "RUN-004", "title": "redis-server not found", "where": "redis", "seen": None,
                                "expected": "one", "fix": "install it"})
        run_dir.mkdir()
        self = cls()
        self.run_dir = run_dir
        self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        rows = [{"name": "gateway", "pid": self.child.pid}]
        (run_dir / "services.json").write_text(json.dumps(rows))
        (run_dir / "run.json").write_text(json.dumps({"addresses": {"gateway": "127.0.0.1:1"}, "world_dir": world}))
        return self

    def down(self):
        self.child.terminate()
        self.child.wait(10)
"""
ERRORS = """
class SandboxError(Exception):
    def __init__(self, document):
        self.document = document
    def as_json(self):
        return self.document
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "other"
    files = {
        "sandbox/__init__.py": "", "sandbox/base/__init__.py": "", "sandbox/base/worlds.py": f"FORMAT = {FORMAT}",
        "sandbox/base/errors.py": ERRORS, "sandbox/runtime/__init__.py": "", "sandbox/runtime/stack.py": STACK,
        "services/__init__.py": "",
    }  # fmt: skip
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "home" / "worlds" / "small").mkdir(parents=True)
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return root


def state(pid: int) -> str | None:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return None


def test_one_of_two_stacks_can_be_stopped_and_goes_on(made: Path, tmp_path: Path):
    with held(Checkout.at(made), "other", "small", tmp_path, quiet) as stack:
        (pid,) = stack.pids()["gateway"]
        stack.pause()
        wait_for(lambda: state(pid) == psutil.STATUS_STOPPED)
        stack.resume()
        wait_for(lambda: state(pid) != psutil.STATUS_STOPPED)
        assert set(stack.cpu_s()) == {"gateway"}

    assert state(pid) is None


def test_a_stack_that_is_paused_is_taken_down_all_the_same(made: Path, tmp_path: Path):
    with held(Checkout.at(made), "other", "small", tmp_path, quiet) as stack:
        (pid,) = stack.pids()["gateway"]
        stack.pause()

    assert state(pid) is None


def test_a_bench_that_is_killed_leaves_no_stack(made: Path, tmp_path: Path):
    program = f"""
import time
from pathlib import Path
from sandbox.base.progress import quiet
from sandbox.bench.checkout import Checkout, held
with held(Checkout.at(Path({str(made)!r})), "other", "small", Path({str(tmp_path)!r}), quiet) as stack:
    stack.pause()
    print(stack.pids()["gateway"][0], flush=True)
    time.sleep(600)
"""
    bench = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell has it for what runs in the background
    )  # fmt: skip
    assert bench.stdout is not None
    pid = int(bench.stdout.readline())

    os.kill(bench.pid, signal.SIGKILL)
    bench.wait()
    bench.stdout.close()

    wait_for(lambda: state(pid) is None, within_s=20)


@pytest.mark.parametrize("other", [2**22 + 1, os.getpid()], ids=["has ended", "was restarted"])
def test_a_process_that_ends_in_its_turn_is_told(made: Path, tmp_path: Path, other: int):
    """What it used went with it: a turn without that would look cheap."""
    with held(Checkout.at(made), "other", "small", tmp_path, quiet) as stack:
        stack.cpu_s()
        (stack.run_dir / "services.json").write_text(json.dumps([{"name": "gateway", "pid": other}]))

        with pytest.raises(SandboxError, match="RUN-008"):
            stack.cpu_s()
        (stack.run_dir / "services.json").unlink()


def test_the_others_own_error_is_told_when_it_does_not_start(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEST_REFUSES", "1")

    with (
        pytest.raises(SandboxError, match="RUN-004") as refused,
        held(Checkout.at(made), "other", "small", tmp_path, quiet),
    ):
        raise AssertionError("it did not start")

    assert refused.value.where == "other, redis"


def test_code_that_breaks_while_it_starts_is_told_with_its_last_words(made: Path, tmp_path: Path):
    (made / "sandbox" / "runtime" / "stack.py").write_text(
        "class Stack:\n    up = staticmethod(lambda *a, **k: 1 / 0)\n"
    )

    with (
        pytest.raises(SandboxError, match="RUN-008") as refused,
        held(Checkout.at(made), "other", "small", tmp_path, quiet),
    ):
        raise AssertionError("it did not start")

    assert "ZeroDivisionError" in str(refused.value.seen)


def test_what_is_no_checkout_is_refused_before_anything_starts(made: Path, tmp_path: Path):
    with pytest.raises(SandboxError, match="CFG-002"):
        Checkout.at(tmp_path / "nowhere")
    with pytest.raises(SandboxError, match=r"CFG-004(.|\n)*without sandbox/runtime/stack.py"):
        Checkout.at(tmp_path / "home")
    (made / "sandbox" / "runtime" / "stack.py").write_text("import no_such_library\n")
    with pytest.raises(SandboxError, match=r"CFG-004(.|\n)*no_such_library"):
        Checkout.at(made)


def test_another_format_of_worlds_is_refused(made: Path):
    (made / "sandbox" / "base" / "worlds.py").write_text(f"FORMAT = {FORMAT + 1}\n")

    with pytest.raises(SandboxError, match=f"worlds of format {FORMAT + 1}"):
        Checkout.at(made)


def test_it_says_which_code_it_was(made: Path):
    told = Checkout.at(made).conditions()

    assert told["commit"] is None  # it is no git repository
    assert "grpcio" in told["versions"]
