"""Locust on a real stack, by the command and plainly: users who react, and both send times on record."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from loadtest.runner import LOCUSTFILE
from sandbox.cli.app import main
from sandbox.telemetry.sql import query
from sandbox.virtual.calibration.observed import observe
from sandbox.virtual.machine import timing as timings
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack


def test_a_load_run_reports_and_records_intended_and_actual_times(stack, capsys):
    with pytest.raises(SystemExit) as left:
        main(["load", "run", "--run-dir", str(stack.run_dir), "--rate", "20", "--duration", "5", "--json"])  # fmt: skip

    summary = json.loads(capsys.readouterr().out)
    assert not left.value.code
    assert summary["requests"] > 5
    assert summary["failed"] == 0
    assert summary["impressions"] > summary["clicks"] >= 0
    assert summary["corrected_ms"]["p50"] >= summary["latency_ms"]["p50"] > 0

    def recorded() -> int:
        return int(query(stack.run.lake, "SELECT count(*) FROM locust").rows[0][0])

    wait_for(lambda: recorded() >= summary["requests"], 10, "rows of the load")
    late = query(
        stack.run.lake, "SELECT count(*) FROM locust WHERE wait_ms < -20 OR started_ts IS NULL"
    )
    assert late.rows == [[0]], "nothing is sent before its time"
    seen, timing = observe(stack.run.lake, stack.run.speed), timings.load()
    assert set(timing.work) <= set(seen.work), "what calibration reads is what services write"
    assert set(timing.wire) <= set(seen.wire)


def test_nothing_is_on_record_before_it_has_happened(stack):
    with pytest.raises(SystemExit):
        main(["load", "run", "--run-dir", str(stack.run_dir), "--rate", "30", "--duration", "5"])
    wait_for(lambda: _told(stack) > 10, 10, "dwells on record")
    kinds = query(stack.run.lake, """
        SELECT kind, count(*) FILTER (event_ts > ingest_ts) AS early
        FROM outcomes SEMI JOIN locust USING (request_id) GROUP BY 1""").rows  # fmt: skip
    (before_its_click,) = query(stack.run.lake, """
        SELECT count(*) FILTER (f.ingest_ts < c.ingest_ts OR f.event_ts <= c.event_ts)
        FROM outcomes f SEMI JOIN locust USING (request_id)
        JOIN outcomes c ON c.kind = 'click' AND c.request_id = f.request_id AND c.item_id = f.item_id
        WHERE f.kind IN ('dwell', 'like', 'conversion')""").rows[0]  # fmt: skip
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


def _told(stack) -> int:
    """Dwells of the load's users that are on record."""
    sql = "SELECT count(*) FROM outcomes SEMI JOIN locust USING (request_id) WHERE kind = 'dwell'"
    return int(query(stack.run.lake, sql).rows[0][0])
