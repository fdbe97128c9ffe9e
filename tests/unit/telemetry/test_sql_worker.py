"""SQL in its own process: answers with the lake of now, stops at every limit, and goes on afterwards."""

import datetime as dt
import time

import psutil
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.sql import SqlWorker, query
from tests.unit.telemetry.toy import START, request, write_toy


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with SqlWorker(write_toy(tmp_path_factory.mktemp("lake"))) as worker:
        yield worker


def test_an_answer_has_columns_types_and_python_values(worker):
    result = worker.query(
        "SELECT ts, latency_ms, region, n_items, NULL AS nothing, [1, 2] AS list, DATE '2024-01-02' AS d"
        " FROM requests ORDER BY ts LIMIT 1"
    )

    assert result.columns == ["ts", "latency_ms", "region", "n_items", "nothing", "list", "d"]
    assert result.types[:4] == ["TIMESTAMP", "DOUBLE", "VARCHAR", "INTEGER"]
    at = dt.datetime.fromtimestamp(START + 1, dt.UTC).replace(tzinfo=None)
    assert result.rows == [[at, 20.0, "EU", 10, None, [1, 2], dt.date(2024, 1, 2)]]


def test_numbers_beyond_64_bits_are_answered_and_not_an_error(worker):
    assert worker.query("SELECT 10::HUGEINT ** 30, 1.5::DECIMAL(4, 2)").rows == [[1e30, 1.5]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT comment FROM Duckdb_Columns() WHERE table_name = 'requests' AND column_name = 'region'",
        """SELECT "COLUMN_COMMENT" FROM Information_Schema.columns
        WHERE table_name = 'requests' AND column_name = 'region'""",
    ],
)
def test_who_asks_the_catalogue_reads_what_a_column_holds(worker, sql):
    (of_region,) = (column.comment for column in TABLES["requests"].columns if column.name == "region")

    assert worker.query(sql).rows == [[of_region]]


def test_a_row_written_later_is_seen_by_the_same_worker(tmp_path):
    store = SegmentStore(tmp_path, lambda: 0.0)
    with SqlWorker(tmp_path) as worker:
        before = worker.query("SELECT count(*) FROM requests").rows
        pid = worker.pid
        store.add("requests", [request(1)])
        store.flush()
        after = worker.query("SELECT count(*) FROM requests").rows

        assert (before, after, worker.pid) == ([[0]], [[1]], pid)


def test_more_rows_than_asked_for_are_cut_and_it_says_so(worker):
    result = worker.query("SELECT * FROM range(100)", max_rows=10)

    assert len(result.rows) == 10
    assert result.truncated


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 2000000000)",
        "SELECT length(repeat('x', 1500000000))",
        "SELECT list(range) FROM range(300000000)",
        "SELECT repeat('x', 200000000) FROM range(20)",
    ],
)
def test_a_query_that_wants_too_much_memory_is_stopped_and_the_next_one_runs(worker, sql):
    with pytest.raises(SandboxError, match=r"LAKE-003") as caught:
        worker.query(sql, timeout_s=20)

    assert "LIMIT" in caught.value.fix
    assert worker.query("SELECT 42").rows == [[42]]
    assert psutil.Process(worker.pid).memory_info().rss < 300 * 2**20


def test_a_worker_is_kept_from_query_to_query_however_large_its_parent_is(worker):
    ballast = b"x" * (400 * 2**20)
    worker.close()

    pids = {worker.query("SELECT 1") and worker.pid for _ in range(3)}

    assert len(pids) == 1
    assert None not in pids
    del ballast


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(100000000000)",
        "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    ],
)
def test_a_query_that_never_ends_is_killed_at_its_time_limit(worker, sql):
    worker.query("SELECT 1")
    pid, started = worker.pid, time.monotonic()

    with pytest.raises(SandboxError, match="LAKE-002"):
        worker.query(sql, timeout_s=0.7)

    assert time.monotonic() - started < 5
    assert not psutil.pid_exists(pid)
    assert worker.query("SELECT 42").rows == [[42]]


def test_a_misspelt_column_is_answered_with_the_nearest_of_the_tables_read(worker):
    with pytest.raises(SandboxError, match="LAKE-004") as caught:
        worker.query("SELECT latncy_ms FROM requests")

    assert "did you mean requests.latency_ms" in caught.value.fix


def test_a_statement_that_writes_is_refused_and_writes_nothing(tmp_path):
    with pytest.raises(SandboxError, match="LAKE-001"):
        query(tmp_path, f"COPY (SELECT 1) TO '{tmp_path}/x.csv'")

    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_was_killed_from_outside_is_replaced(worker):
    worker.query("SELECT 1")
    killed = psutil.Process(worker.pid)
    killed.kill()
    killed.wait(10)

    assert worker.query("SELECT 42").rows == [[42]]


def test_closing_leaves_no_process(tmp_path):
    worker = SqlWorker(tmp_path)
    worker.query("SELECT 1")
    pid = worker.pid

    worker.close()

    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("limits", [{"timeout_s": 0}, {"timeout_s": float("nan")}, {"max_rows": 0}])
def test_absurd_limits_are_refused(worker, limits):
    with pytest.raises(SandboxError, match="CFG-001"):
        worker.query("SELECT 1", **limits)
