"""`sandbox sql` and `sandbox trace` as a program and as a person use them."""

import json

import pytest

from sandbox.base.run import RunInfo
from sandbox.cli.app import main
from tests.unit.telemetry.toy import SPEED, START, write_toy


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_toy(folder / "lake")
    RunInfo(str(folder), "toy", str(folder), START, 0.0, SPEED, 1, "", {}, {}).save()
    return str(folder)


def call(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    streams = capsys.readouterr()
    return stop.value.code, streams.out, streams.err


def test_json_is_one_document_with_columns_and_rows_and_times_as_iso(capsys, run_dir):
    code, out, err = call(
        capsys, "sql", "SELECT ts, latency_ms, 0 / 0 AS nan FROM requests ORDER BY ts LIMIT 1",
        "--run-dir", run_dir, "--json",
    )  # fmt: skip

    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document == {"columns": ["ts", "latency_ms", "nan"], "rows": [["2023-11-14T22:13:21", 20.0, None]]}


def test_a_file_and_stdin_are_read_like_the_argument(capsys, run_dir, tmp_path, monkeypatch):
    (tmp_path / "q.sql").write_text("SELECT 42 AS answer")

    code, out, _ = call(capsys, "sql", "--file", str(tmp_path / "q.sql"), "--run-dir", run_dir, "--json")

    assert (code, json.loads(out)["rows"]) == (0, [[42]])


def test_the_times_of_a_drill_stand_for_those_of_a_run_without_one(capsys, run_dir):
    code, out, _ = call(
        capsys, "sql", "SELECT $began AS began, $now <= world_now() AS known", "--run-dir", run_dir, "--json"
    )

    assert (code, json.loads(out)["rows"]) == (0, [["2023-11-14T22:13:20", True]])


def test_for_people_there_is_a_table_with_its_count(capsys, run_dir):
    code, out, _ = call(capsys, "sql", "SELECT request_id FROM requests", "--run-dir", run_dir)

    assert code == 0
    assert "req-0002" in out
    assert "2 rows in " in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sql", "DROP VIEW requests"], "LAKE-001"),
        (["sql", "SELECT count(*) FROM range(100000000000)", "--timeout", "0.5"], "LAKE-002"),
        (["sql", "SELECT repeat('x', 2000000000)"], "LAKE-003"),
        (["sql", "SELECT * FROM request"], "LAKE-004"),
        (["sql", "SELECT $paged"], "LAKE-004"),
        (["trace", "nosuch"], "LAKE-005"),
        (["sql"], "CFG-004"),
        (["sql", "SELECT 1", "--timeout", "-1"], "CFG-001"),
    ],
)
def test_a_failure_is_one_json_document_on_stderr(capsys, run_dir, arguments, code):
    status, out, err = call(capsys, *arguments, "--run-dir", run_dir, "--json")

    assert status != 0
    assert out == ""
    document = json.loads(err)
    assert document["code"] == code
    assert set(document) == {"code", "title", "where", "seen", "expected", "fix"}


def test_tables_and_columns_are_listed_without_a_run(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))

    _, tables, _ = call(capsys, "sql", "--tables", "--json")
    _, columns, _ = call(capsys, "sql", "--describe", "ic", "--json")

    assert {"requests", "ic"} <= {entry["table"] for entry in json.loads(tables)}
    assert "clicked" in {entry["column"] for entry in json.loads(columns)}


def test_the_trace_is_drawn_and_given_as_json(capsys, run_dir):
    code, drawn, _ = call(capsys, "trace", "slowest", "--run-dir", run_dir)
    _, out, _ = call(capsys, "trace", "req-0002", "--run-dir", run_dir, "--json")

    document = json.loads(out)
    assert code == 0
    assert drawn.count("\n") == 2 + 5  # title, header, five spans
    assert document["trace_id"] == "req-0002"
    assert [s["depth"] for s in document["spans"]] == [0, 1, 2, 3, 4]
