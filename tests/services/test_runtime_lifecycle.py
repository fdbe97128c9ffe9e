"""How stacks begin and end, by the command a person types: up, down, Ctrl-C, SIGKILL, bad starts."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.run import load_services
from sandbox.runtime import rundir
from sandbox.runtime.building import quiet
from sandbox.runtime.local import plan, ports
from sandbox.runtime.local.supervisor import Supervisor
from sandbox.runtime.stack import Stack, prepare
from tests.services.ctrl_c import heard
from tests.services.waiting import processes_of, until, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400), pytest.mark.usefixtures("home")]
SANDBOX = [sys.executable, "-m", "sandbox.cli.app"]


def sandbox(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SANDBOX, *map(str, words)], capture_output=True, text=True, timeout=170)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """A test that fails half way leaves no stack behind either."""
    yield
    for request in tmp_path.rglob("request.json"):
        with suppress(SandboxError):
            Stack(request.parent).down()


@pytest.mark.slow
def test_two_stacks_side_by_side_and_down_leaves_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / ("two-" + "x" * 110)  # too long a path for unix sockets
    first = sandbox("up", "--world", "tiny", "--run-dir", one, "--json")
    assert first.returncode == 0, first.stderr
    second = sandbox("up", "--world", "tiny", "--run-dir", two, "--speed", "600", "--json")
    assert second.returncode == 0, second.stderr
    documents = [json.loads(first.stdout), json.loads(second.stdout)]
    addresses = [{s["address"] for s in d["services"] if s["address"]} for d in documents]
    sockets = Stack(two).run.sockets_dir

    latest = json.loads(sandbox("status", "--json").stdout)
    up = [stack.run_dir for stack in Stack.running()]
    stopped = [sandbox("down", "--run-dir", d, "--json") for d in (one, two)]

    assert all(d["ready"] for d in documents)
    assert not addresses[0] & addresses[1]
    assert latest["run_dir"] == str(two)
    assert up[0] == two
    assert str(two) in json.loads(stopped[0].stdout)["still_up"]
    assert two not in [stack.run_dir for stack in Stack.running()]
    assert [json.loads(s.stdout)["run_dir"] for s in stopped] == [str(one), str(two)]
    for directory in (one, two):
        assert processes_of(directory) == []
        assert not list(directory.glob("*.sock"))
    assert not sockets.exists()
    after = sandbox("status", "--run-dir", one, "--json")
    assert after.returncode == 1
    assert not json.loads(after.stdout)["ready"]


def test_sigkill_of_the_supervisor_leaves_nothing_and_down_and_up_work_after_it(tmp_path: Path) -> None:
    stack = Stack.up("tiny", run_dir=tmp_path)
    supervisor = stack.status()["services"][0]["pid"]
    pids = [s.pid for s in load_services(tmp_path)]

    os.kill(supervisor, signal.SIGKILL)

    wait_for(lambda: not any(_lives(pid) for pid in (supervisor, *pids)), 10, "supervisor and children gone")
    assert not stack.status()["ready"]
    assert sandbox("down", "--run-dir", tmp_path).returncode == 0
    assert not list(tmp_path.glob("*.sock"))
    with Stack.up("tiny", run_dir=tmp_path) as again:
        assert again.status()["ready"]
        assert (tmp_path.with_name(f"{tmp_path.name}.earlier-1") / "lake").is_dir(), "of another run, set aside"
    assert processes_of(tmp_path) == []


def test_ctrl_c_while_it_comes_up_takes_all_down(tmp_path: Path) -> None:
    up = subprocess.Popen(
        [*SANDBOX, "up", "--world", "tiny", "--run-dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heard,
    )
    wait_for(lambda: len(load_services(tmp_path)) > 5, 60, "services starting")

    up.send_signal(signal.SIGINT)

    assert up.wait(40) == 130
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_ctrl_c_and_a_kill_in_the_foreground_take_all_down(tmp_path: Path, number: signal.Signals, code: int) -> None:
    up = subprocess.Popen(
        [*SANDBOX, "up", "--world", "tiny", "--run-dir", str(tmp_path), "--foreground", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=heard,
    )
    assert up.stdout is not None
    assert json.loads(up.stdout.readline())["ready"]

    up.send_signal(number)

    assert up.wait(40) == code
    assert processes_of(tmp_path) == []


def test_a_damaged_model_stops_the_start_with_its_own_error(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "home"
    shutil.copytree(home / "worlds" / "tiny", other / "worlds" / "tiny")
    model = other / "worlds/tiny/registry/ranker/rk-1/model.safetensors"
    model.write_bytes(model.read_bytes()[:-4] + b"oops")

    up = subprocess.run(
        [*SANDBOX, "up", "--world", "tiny", "--run-dir", str(tmp_path / "run"), "--json"],
        capture_output=True,
        text=True,
        timeout=170,
        env={**os.environ, "SANDBOX_HOME": str(other)},
    )

    assert up.returncode == 3
    assert up.stdout == ""
    error = json.loads(up.stderr.splitlines()[-1])
    assert error["code"] == "MODEL-002"
    assert "rk-1" in error["where"]
    assert processes_of(tmp_path / "run") == []


@pytest.mark.parametrize("name", [pytest.param("catalogue.npz", marks=pytest.mark.slow), "users.parquet"])
def test_a_damaged_world_stops_the_start_with_its_own_error(home: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "home"
    shutil.copytree(home / "worlds" / "tiny", other / "worlds" / "tiny")
    table = other / "worlds/tiny/public" / name
    table.write_bytes(table.read_bytes()[:3000])

    up = subprocess.run(
        [*SANDBOX, "up", "--world", "tiny", "--run-dir", str(tmp_path / "run"), "--json"],
        capture_output=True,
        text=True,
        timeout=170,
        env={**os.environ, "SANDBOX_HOME": str(other)},
    )

    error = json.loads(up.stderr.splitlines()[-1])
    assert error["code"] == "WORLD-003"
    assert name in error["where"]
    assert up.returncode == 2
    assert processes_of(tmp_path / "run") == []


@pytest.mark.slow
async def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = prepare("tiny", 60.0, tmp_path, 1, None, quiet).run_dir
    pick = ports.pick

    with socket.create_server((ports.LOOPBACK, 0)) as thief:
        stolen = thief.getsockname()[1]

        def pick_stolen_first(n: int, run_dir: Path, attempt: int = 0) -> list[int]:
            free = pick(n, run_dir, attempt)
            return [*free[:3], stolen, *free[4:]] if attempt == 0 else free

        monkeypatch.setattr(plan.ports, "pick", pick_stolen_first)
        supervisor = Supervisor(directory)
        running = asyncio.create_task(supervisor.supervise())

        def healthy() -> bool:
            assert not running.done(), running.exception()
            ours = supervisor.processes.values()
            return bool(ours) and all(p.info.healthy for p in ours)

        await until(healthy, 100)
        in_use = set(supervisor.run.addresses.values())
        supervisor.stopping.set()
        await running

    assert f"{ports.LOOPBACK}:{stolen}" not in in_use
    assert all(not p.running for p in supervisor.processes.values())


def test_a_full_disk_is_an_error_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(rundir.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(SandboxError) as refused:
        Stack.up("tiny", run_dir=tmp_path)

    assert refused.value.kind.code == "RUN-005"
    assert processes_of(tmp_path) == []


@pytest.mark.slow
def test_logs_on_a_full_disk_stop_no_service(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("gateway", "features", "rules", "collector", "publish"):
        (tmp_path / "logs" / f"{name}.log").symlink_to("/dev/full")  # every write: no space left

    with Stack.up("tiny", run_dir=tmp_path) as stack:
        stack.restart("rules")
        assert stack.status()["ready"]


@pytest.mark.parametrize("speed", [0, -1, 1e9, float("nan")])
def test_an_absurd_speed_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(SandboxError) as refused:
        Stack.up("tiny", run_dir=tmp_path, speed=speed)

    assert refused.value.kind.code == "CFG-001"


def test_an_unknown_world_is_named_and_nothing_starts(tmp_path: Path) -> None:
    up = sandbox("up", "--world", "atlantis", "--run-dir", tmp_path, "--json")

    assert up.returncode == 2
    assert json.loads(up.stderr.splitlines()[-1])["code"] == "WORLD-001"
    assert processes_of(tmp_path) == []


def test_commands_on_no_stack_say_so(tmp_path: Path) -> None:
    for command in ("status", "down"):
        done = sandbox(command, "--run-dir", tmp_path, "--json")
        assert done.returncode == 2
        assert json.loads(done.stderr)["code"] == "RUN-001"


def test_without_a_run_down_takes_what_is_up_though_something_else_was_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "runs", lambda: tmp_path / "runs")
    for name in ("earlier", "later"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    rundir.point_latest_to(tmp_path / "runs" / "later")

    assert Stack.running() == []
    with rundir.held_by_supervisor(tmp_path / "runs" / "earlier"):  # as its supervisor holds it
        assert [stack.run_dir.name for stack in Stack.running()] == ["earlier"]


def test_doctor_finds_a_machine_on_which_tests_run_fit() -> None:
    done = sandbox("doctor", "--json")

    findings = {f["check"]: f for f in json.loads(done.stdout)}
    assert findings["redis-server"]["ok"]
    assert findings["shared libraries"]["ok"]
    assert all(f["fix"] for f in findings.values() if not f["ok"])
    assert done.returncode == (0 if all(f["ok"] for f in findings.values() if f["needed"]) else 1)


def _lives(pid: int | None) -> bool:
    try:
        if pid is None:
            return False
        process = psutil.Process(pid)
        # One that was killed holds its locks until its last thread has ended, though its first is a zombie by then.
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False
