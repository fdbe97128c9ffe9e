"""Locust on a real stack, by the command and plainly: users who react, and both send times on record."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from loadtest.runner import LOAD, LOCUSTFILE, Load
from sandbox.base.errors import SandboxError
from sandbox.cli.app import main
from sandbox.drill.play.driver import keep_up
from sandbox.drill.play.journal import Journal
from sandbox.drill.play.on_load import OnLoad
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.virtual.calibration.observed import observe
from sandbox.virtual.machine import timing as timings
from tests.services.asking import query
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def summary(stack) -> dict:
    """Of one load run by the command; what it left on record is there for every test."""
    told = io.StringIO()
    with pytest.raises(SystemExit) as left, contextlib.redirect_stdout(told):
        main(["load", "run", "--run-dir", str(stack.run_dir), "--rate", "30", "--duration", "8", "--json"])
    assert not left.value.code
    return json.loads(told.getvalue())


def test_a_load_run_reports_and_records_intended_and_actual_times(stack, summary):
    assert summary["requests"] > 5
    assert summary["failed"] == 0
    assert summary["impressions"] > summary["clicks"] >= 0
    assert summary["corrected_ms"]["p50"] >= summary["latency_ms"]["p50"] > 0

    def recorded() -> int:
        return int(query(stack.run.lake, "SELECT count(*) FROM locust").rows[0][0])

    wait_for(lambda: recorded() >= summary["requests"], 10, "rows of the load")
    late = query(stack.run.lake, "SELECT count(*) FROM locust WHERE wait_ms < -20 OR started_ts IS NULL")
    assert late.rows == [[0]], "nothing is sent before its time"
    seen, timing = observe(stack.run.lake, stack.run.speed), timings.load()
    assert set(timing.work) <= set(seen.work), "what calibration reads is what services write"
    assert set(timing.wire) <= set(seen.wire)


def test_nothing_is_on_record_before_it_has_happened(stack, summary):
    wait_for(lambda: _told(stack) > 10, 10, "dwells on record")
    kinds = query(
        stack.run.lake,
        """
        SELECT kind, count(*) FILTER (event_ts > ingest_ts) AS early
        FROM outcomes SEMI JOIN locust USING (request_id) GROUP BY 1""",
    ).rows
    (before_its_click,) = query(
        stack.run.lake,
        """
        SELECT count(*) FILTER (f.ingest_ts < c.ingest_ts OR f.event_ts <= c.event_ts)
        FROM outcomes f SEMI JOIN locust USING (request_id)
        JOIN outcomes c ON c.kind = 'click' AND c.request_id = f.request_id AND c.item_id = f.item_id
        WHERE f.kind IN ('dwell', 'like', 'conversion')""",
    ).rows[0]
    ahead = query(stack.run.lake, "SELECT count(*) FROM stream_stats WHERE last_event_ts > ts")

    assert {"click", "dwell"} <= {kind for kind, _ in kinds}
    assert all(early == 0 for _, early in kinds)
    assert before_its_click == 0
    assert ahead.rows == [[0]]


def test_locust_alone_drives_the_stack_too(stack):
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "-u", "10", "-r", "10",
         "-t", "8s", "--run-dir", str(stack.run_dir)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Recommend" in done.stdout + done.stderr


def test_a_locust_that_was_killed_comes_back_with_its_crowd(stack, tmp_path):
    load, journal = Load(stack.run, rate=5.0), Journal(tmp_path / "j.jsonl")
    socket = Endpoint.at(stack.run.control_socket(LOAD))
    on_load = OnLoad(partial(control.ask, socket), stack.run.clock().now)

    def bears() -> list[str]:
        keep_up(load, on_load, journal, stack.run.clock().now())
        try:
            return control.ask(socket, "list")["ids"]
        except SandboxError:
            return []  # it is just beginning

    load.start()
    try:
        on_load.arm("w1", {"fault": "flash-crowd", "params": {"multiplier": 2.0}, "seed": 1})
        wait_for(lambda: bears() == ["w1"], 30, "a load that bears the crowd")
        pid = control.ask(socket, "ping")["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not load.running, 10, "the end of the load")
        wait_for(lambda: bears() == ["w1"], 30, "a load that bears the crowd again")
        again = control.ask(socket, "ping")["pid"]
    finally:
        load.stop()

    assert again != pid
    assert [e.what for e in journal.read()][-2:] == ["failure", "rearmed"]


def _told(stack) -> int:
    """Dwells of the load's users that are on record."""
    sql = "SELECT count(*) FROM outcomes SEMI JOIN locust USING (request_id) WHERE kind = 'dwell'"
    return int(query(stack.run.lake, sql).rows[0][0])
