"""The load lab on a real stack: arrivals that wait for nobody, and a freeze that a waiting load would not see."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import psutil
import pytest

from loadtest.lab import saved
from loadtest.lab.measure import measure
from loadtest.lab.open_loop import MADE
from loadtest.lab.outcome import document
from loadtest.lab.plan import Plan
from loadtest.runner import LOCUSTFILE
from sandbox.base.config import Config
from sandbox.cli.app import main
from sandbox.runtime.local.ports import pick
from tests.services.ctrl_c import heard
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack


def test_a_shaped_load_is_reported_by_stage_and_segment_with_its_page(stack, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(
            ["load", "run", "--run-dir", str(stack.run_dir), "--shape", "flash-crowd", "--rate", "10", "--factor", "2",
             "--seconds", "6.5", "--out", str(tmp_path), "--json"]
        )  # fmt: skip
    told = json.loads(capsys.readouterr().out)

    assert not left.value.code
    assert told["offered"] == told["sent"] >= told["ok"] > 30
    assert told["percentiles_ms"]["99.99"] >= told["percentiles_ms"]["50"] > 0
    assert {"features", "retrieval", "ranking", "rules"} <= told["by_stage"].keys()
    assert sum(s["n"] for s in told["by_segment"].values()) > 0
    assert told["saturated"]["evidence"]
    assert told["clicks"] >= 0
    assert Path(told["report"]).read_text().startswith("<!doctype html>")
    assert not _generators()


@pytest.mark.slow
def test_a_frozen_gateway_is_seen_by_arrivals_and_hidden_from_a_load_that_waits(stack):
    """The gateway stands still for a sixth of the run. A sixth of the arrivals come then and wait; of callers who wait
    for their answers each has one request that long."""
    pid = next(s["pid"] for s in stack.status()["services"] if s["name"] == "gateway")
    looks = 0  # of the measurement at its load, a fifth of a second apart

    def freeze(_what: str, _share: float | None = None) -> None:
        nonlocal looks
        looks += (stack.run_dir / "load-requests.npz").exists()  # it has been sending for some seconds
        if looks in (1, 8):
            os.kill(pid, signal.SIGSTOP if looks == 1 else signal.SIGCONT)

    try:
        run = measure(stack.run, Plan("poisson", rate=20, seconds=9), progress=freeze, telemetry=False)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    told = document(run)

    assert told["percentiles_ms"]["99"] > 1_000
    assert told["percentiles_ms"]["90"] > 2 * told["closed_loop_percentiles_ms"]["90"]
    assert told["closed_loop"]["never_made"] > 10


def _generators() -> list[int]:
    """Locust processes that are still there."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if str(LOCUSTFILE) in (process.info["cmdline"] or []):
            found.append(process.pid)
    return found


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured_and_leaves_no_process(stack, tmp_path):
    command = [sys.executable, "-m", "sandbox.cli.app", "load", "run", "--run-dir", str(stack.run_dir), "--shape", "constant",
               "--rate", "10", "--seconds", "120", "--out", str(tmp_path), "--json"]  # fmt: skip
    kept = stack.run_dir / "load-requests.npz"
    kept.unlink(missing_ok=True)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    ) as running:
        wait_for(kept.exists, 60, "requests on disk")
        running.send_signal(signal.SIGINT)
        answer, _ = running.communicate(timeout=60)
    told = json.loads(answer)

    assert running.returncode == 130
    assert told["interrupted"]
    assert told["sent"] > 10
    assert Path(told["report"]).exists()
    assert not _generators()


@pytest.mark.slow
def test_locust_alone_takes_a_shape_by_name(stack):
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "-u", "60", "-r", "60", "-t", "8s",
         "--arrivals", "spike", "--rate", "8", "--run-dir", str(stack.run_dir)],
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Recommend" in done.stdout + done.stderr


@pytest.mark.slow
def test_locusts_page_offers_the_shapes_and_starts_one(stack, tmp_path):
    (port,) = pick(1, tmp_path)
    page = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--web-host", "127.0.0.1", "--web-port", str(port),
         "--run-dir", str(stack.run_dir)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as locust:  # fmt: skip
        try:
            wait_for(lambda: _answers(page), 60, "Locust's page")
            assert all(f'"{shape}"' in _answers(page) for shape in (*MADE, "visits"))
            told = {"user_count": 40, "spawn_rate": 40, "host": "", "arrivals": "steps", "rate": 8, "run_time": "20s"}
            started = json.loads(_answers(f"{page}/swarm", urlencode(told).encode()))
            wait_for(lambda: '"Recommend"' in _answers(f"{page}/stats/requests"), 60, "requests of the shape")
        finally:
            locust.terminate()

    assert started["success"], started


def _answers(url: str, form: bytes | None = None) -> str:
    """What the page says, nothing while it is not there."""
    try:
        with urlopen(url, form, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.mark.slow
def test_two_configurations_in_turns_leave_the_stack_as_it_was(stack, capsys):
    before = Config.load(stack.run_dir)
    with pytest.raises(SystemExit) as left:
        main(
            ["load", "compare", "as-is", "retries caller=ranking callee=model attempts=3", "--run-dir", str(stack.run_dir),
             "--rate", "10", "--seconds", "4", "--rounds", "1", "--json"]
        )  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    after = Config.load(stack.run_dir)

    assert not left.value.code
    assert told["error_share"]["verdict"] in ("a", "b", "none", "too few")
    assert after.version > before.version
    assert after.model_copy(update={"version": before.version}) == before


@pytest.mark.slow
def test_all_acknowledged_feedback_is_on_record_though_the_gateway_died_meanwhile(stack, tmp_path, capsys):
    pid = next(s["pid"] for s in stack.status()["services"] if s["name"] == "gateway")
    killed = False

    def kill(_what: str, _share: float | None = None) -> None:
        nonlocal killed
        if not killed and (stack.run_dir / "load-requests.npz").exists():
            os.kill(pid, signal.SIGKILL)
            killed = True

    run = measure(stack.run, Plan("poisson", rate=15, seconds=14), progress=kill, telemetry=False)
    report = saved.whole(run, str(stack.run_dir), "now")
    saved.save(tmp_path, report, run.requests, run.acknowledged)
    with pytest.raises(SystemExit) as left:
        main(["load", "verify", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)

    assert report["document"]["errors"], "it was noticed"
    assert report["document"]["feedback"]["acknowledged"] == told["acknowledged"] > 10
    assert told["equal"], told
    assert not left.value.code


@pytest.mark.slow
def test_acknowledged_feedback_outlives_those_who_held_it(stack, tmp_path, capsys):
    """The two processes in whose memory rows wait on their way to the lake, killed again and again."""
    with pytest.raises(SystemExit):
        main(
            ["load", "run", "--run-dir", str(stack.run_dir), "--shape", "poisson", "--rate", "10", "--seconds", "20", "--kill-every", "4",
             "--kill", "events", "--kill", "collector", "--out", str(tmp_path), "--json"]
        )  # fmt: skip
    run = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit) as left:
        main(["load", "verify", str(Path(run["report"]).parent), "--within", "30", "--json"])
    told = json.loads(capsys.readouterr().out)

    assert {k["process"] for k in run["killed"]} <= {"events-0", "collector-0"}
    assert len(run["killed"]) >= 2
    assert told["acknowledged"] == run["feedback"]["acknowledged"] > 10
    assert told["equal"], told
    assert not left.value.code
