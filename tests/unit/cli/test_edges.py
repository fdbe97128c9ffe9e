"""The edge of the program: one document on stdout or one error on stderr, whatever goes wrong inside."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.cli import fault, output
from sandbox.cli.app import main


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Makes `sandbox fault list` fail with an exception."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))

    def put(error: Exception) -> None:
        def emit(*_: object) -> None:
            raise error

        monkeypatch.setattr(fault, "emit", emit)

    return put


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (ZeroDivisionError("by nobody foreseen"), "RUN-008", 3),
        (OSError("without a place"), "RUN-008", 3),
        (OSError(errno.ENOSPC, "No space left on device", "somewhere"), "RUN-005", 3),
        (PermissionError(errno.EACCES, "Permission denied", "somewhere"), "CFG-002", 2),
    ],
)
def test_what_nobody_foresaw_is_an_error_and_no_traceback(failing, capsys, error, code, status):
    failing(error)

    left, out, err = run(capsys, "fault", "list", "--json")

    assert (left, out) == (status, "")
    document = json.loads(err)
    assert document["code"] == code
    assert set(document) == {"code", "title", "where", "seen", "expected", "fix"}
    assert "Traceback" not in err


def test_the_traceback_of_a_failure_is_kept_for_whoever_mends_it(failing, capsys, tmp_path):
    failing(ZeroDivisionError("by nobody foreseen"))

    _, _, err = run(capsys, "fault", "list")

    assert "Traceback" not in err
    assert "crash.log" in err
    assert "by nobody foreseen" in (tmp_path / "crash.log").read_text()


def test_a_reader_who_leaves_early_is_no_error():
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [sys.executable, "-m", "sandbox.cli.app", "fault", "list", "--json"],
        stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(write)

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_number_that_is_none_is_null(capsys):
    output.emit({"auc": math.nan, "rows": [1.5, math.inf]}, lambda: None, True)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    printed = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert printed == {"auc": None, "rows": [1.5, None]}


@pytest.mark.parametrize("seen", [math.nan, math.inf, -math.inf, {"a": 1}, None, 3, "x"])
def test_an_error_is_json_whatever_was_seen(seen):
    error = SandboxError("CFG-001", where="speed", seen=seen, expected="a number", fix="give one")

    text = json.dumps(error.as_json(), allow_nan=False)

    assert json.loads(text)["code"] == "CFG-001"


def test_faults_are_listed_with_what_is_promised(capsys):
    code, out, err = run(capsys, "fault", "list", "--json")

    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert all({"name", "layer", "knobs"} <= row.keys() for row in rows)
    controls = {row["name"] for row in rows if row["control"]}
    assert controls == {"benign-coincident-deploy", "benign-mix-shift"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["world", "build", "tiny"],
        ["world", "import", "csv", "--interactions", __file__, "--name", "mine", "--map", "user=1"],
        ["drill", "start", "slow-home", "--autopilot"],
        ["up", "--world", "tiny"],
    ],
)
def test_a_home_that_cannot_be_written_is_named(capsys, monkeypatch, arguments):
    monkeypatch.setenv("SANDBOX_HOME", f"{__file__}/home")  # below a file there is no folder

    code, out, err = run(capsys, *arguments, "--json")

    assert code == 2
    assert out == ""
    assert json.loads(err)["code"] in ("CFG-002", "WORLD-002")


@pytest.mark.parametrize(
    "arguments",
    [
        ["act", "path", "caller=gateway", "callee=features", "path=b"],
        ["act", "rebuild-index"],
        ["act", "restart", "service=rules"],
        ["load", "run", "--duration", "2"],
    ],
)
def test_on_a_stack_that_is_down_nothing_is_changed_and_nothing_waits(capsys, tmp_path, arguments):
    run_of_yesterday = RunInfo(
        run_dir=str(tmp_path), world="tiny", world_dir=str(tmp_path), world_start=0.0, wall_start=0.0,
        speed=60.0, seed=1, redis="", addresses={"gateway": "127.0.0.1:1"}, metrics={},
    )  # fmt: skip
    run_of_yesterday.save()

    code, out, err = run(capsys, *arguments, "--run-dir", str(tmp_path), "--json")

    assert (code, out) == (2, "")
    assert json.loads(err)["code"] == "RUN-001"
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    "words",
    [
        ("twin", "no-such-run", "--plot", "nowhere/harm.svg"),
        ("scenario", "show", "slow-home", "--svg", "nowhere/picture.svg"),
        ("scenario", "prove", "slow-home", "--table", "nowhere/table.md"),
        ("calibrate", "--out", "nowhere/timing.json"),
        ("drill", "debrief", "no-such-drill", "--markdown", "nowhere/incident.md"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_minutes_of_work(capsys, tmp_path, monkeypatch, words):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as left:
        main([*words, "--json"])

    refusal = json.loads(capsys.readouterr().err)
    assert (left.value.code, refusal["code"], refusal["seen"]) == (2, "CFG-002", words[-1])
    assert refusal["where"].endswith(words[-2])
