"""Locust's master and workers under one plan, as processes; one of them killed in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import psutil
import pytest

from loadtest.lab import saved
from loadtest.lab.gathered import lost
from loadtest.lab.measure import measure
from loadtest.lab.outcome import document
from loadtest.lab.plan import Plan
from loadtest.runner import LOCUSTFILE, Crew
from sandbox.base.errors import SandboxError
from sandbox.runtime.local.ports import pick

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def generators() -> list[psutil.Process]:
    """Locust processes that are there."""
    return [p for p in psutil.process_iter(["cmdline"]) if str(LOCUSTFILE) in (p.info["cmdline"] or [])]


def kill_a_worker() -> int:
    """Its id."""
    workers = [p for p in generators() if "--worker" in p.cmdline()]
    workers[0].send_signal(signal.SIGKILL)
    return workers[0].pid


def test_a_worker_killed_in_the_middle_is_named_and_what_it_told_is_kept(stack, tmp_path):
    killed: list[int] = []

    def kill(sending_s: float) -> None:
        if not killed and sending_s > 5:
            killed.append(kill_a_worker())

    plan = Plan("constant", rate=15, seconds=14)
    run = measure(stack.run, plan, meanwhile=kill, telemetry=False, crew=Crew(3))
    told = document(run)
    gone = [w for w in told["workers"] if w["lost_after_s"] is not None]

    assert killed
    assert not run.interrupted
    assert len(gone) == 1
    assert 0 < gone[0]["told"] < gone[0]["offered"] == 70
    assert told["offered"] == 210 > told["sent"] == sum(w["told"] for w in told["workers"])
    assert gone[0]["id"] in lost(told["workers"])[0]
    assert told["feedback"]["acknowledged"] == len(run.acknowledged) > 0
    page = saved.save(saved.fresh(tmp_path), saved.whole(run, str(stack.run_dir), "now"), run.requests)
    assert "was lost" in page.read_text()
    assert not generators()


def test_a_worker_that_ends_before_the_beginning_ends_the_run_at_once_and_says_so(stack):
    killed: list[int] = []

    def kill(_what: str, _share: float | None = None) -> None:
        if not killed:
            killed.append(kill_a_worker())

    with pytest.raises(SandboxError, match="1 of 3 ended before the first request, exit -9") as refused:
        measure(stack.run, Plan("constant", rate=15, seconds=14), progress=kill, telemetry=False, crew=Crew(3))

    assert refused.value.kind.code == "LOAD-001"
    assert not generators()


def test_a_worker_of_another_machine_sends_its_part(stack, tmp_path):
    """It is told the run and the plan by its master, and reads no run directory."""
    (port,) = pick(1, tmp_path)
    elsewhere = subprocess.Popen(
        [sys.executable, "-m", "sandbox.cli.app", "load", "worker", f"127.0.0.1:{port}", "--gateway",
         stack.run.addresses["gateway"], "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        run = measure(stack.run, Plan("poisson", rate=10, seconds=5), telemetry=False, crew=Crew(1, 1, port=port))
        said, _ = elsewhere.communicate(timeout=30)
    finally:
        elsewhere.kill()
        elsewhere.wait()
    told = document(run)

    assert json.loads(said) == {"master": f"127.0.0.1:{port}"}
    assert [w["told"] for w in told["workers"]] == [w["offered"] for w in told["workers"]]
    assert told["sent"] == told["offered"] > 20
    assert not generators()
