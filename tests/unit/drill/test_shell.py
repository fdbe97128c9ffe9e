"""The drill shell answers SQL and words, completes both, and survives what people type."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from subprocess import TimeoutExpired

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from rich.console import Console

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.drill import store
from sandbox.drill.interview import interview
from sandbox.drill.shell import HELP, Shell, ShellCompleter, Watch
from tests.unit.drill.scenes import scenario


@pytest.fixture
def drill(tmp_path, monkeypatch):
    """A drill that has begun on a run without processes."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    run = RunInfo(
        run_dir=str(run_dir), world="tiny", world_dir=str(tmp_path), world_start=1_772_000_000.0,
        wall_start=time.time(), speed=60.0, seed=1, redis="", addresses={}, metrics={},
    )  # fmt: skip
    run.save()
    made = store.create(
        scenario(), run_dir=run_dir, seed=1, faults=True, autopilot=False, own_stack=True
    )
    store.announce(made)
    made.journal.append(run.world_start, "engine", "phase", name="baseline")
    made.journal.append(run.world_start, "engine", "armed", id="w1", fault="session-stream-lag")
    return made


@pytest.fixture
def shell(drill):
    made = Shell(drill, Console(file=io.StringIO(), width=200))
    yield made
    made.close()


def said(shell: Shell, line: str) -> str:
    shell.console.file.seek(0)
    shell.console.file.truncate()
    assert shell.answer(line)
    return shell.console.file.getvalue()


def test_sql_is_typed_directly(shell):
    assert "42" in said(shell, "select 41 + 1 as answer")
    assert "0 rows" in said(shell, "select * from requests;")


def test_the_times_of_a_drill_can_be_typed_as_its_scenarios_write_them(shell, drill):
    began = drill.began()

    assert "2026-02-25 06:13:20" in said(shell, "select $began as t")
    assert "LAKE-004" in said(shell, "select $paged as t"), "there was no page yet"
    drill.journal.append(began + 90, "engine", "page", text="it is slow")
    assert "2026-02-25 06:14:50" in said(shell, "select $paged as t")
    assert "true" in said(shell, "select $now < $began + interval 10 minute as soon").lower()
    assert shell.asked[0] == "select $began as t", "a report asks it again at its own time"


def test_what_does_not_run_is_explained_and_the_shell_goes_on(shell):
    assert "LAKE-00" in said(shell, "selct 1")
    assert "LAKE-00" in said(shell, "drop table requests")
    assert "DRILL-006" in said(shell, "hint"), "no driver runs here"
    assert "LAKE-004" in said(shell, "describe nothing")
    assert "one row per" in said(shell, "tables")


@pytest.mark.parametrize(
    "failure",
    [KeyboardInterrupt(), EOFError(), OSError("no such file"), TimeoutExpired("act", 120)],
)
def test_what_is_broken_off_ends_itself_and_not_the_drill(shell, failure):
    def broken_off(_: str) -> None:
        raise failure

    shell.commands["page"] = broken_off

    assert "stopped" in said(shell, "page") or "failed" in said(shell, "page")
    assert "42" in said(shell, "select 41 + 1 as answer")


def test_words_answer_and_quit_leaves(shell):
    assert "milliseconds" in said(shell, "describe requests")
    assert "no page yet" in said(shell, "page")
    assert "A small drill" in said(shell, "status")
    assert "skip-backlog" in said(shell, "act")
    assert said(shell, "   ") == ""
    assert not shell.answer("quit")
    for name in ("help", "alerts", "changes", "words"):
        assert said(shell, name)


def test_every_command_is_in_the_help(shell):
    listed = {name.split()[0] for name in HELP}

    assert set(shell.commands) <= listed


def test_nothing_that_is_shown_names_the_fault(shell):
    for name in ("status", "page", "alerts", "changes", "help", "tables", "act"):
        assert "session-stream-lag" not in said(shell, name)


def completions(text: str) -> list[str]:
    completer = ShellCompleter(["status", "describe", "report"])
    return [c.text for c in completer.get_completions(Document(text), CompleteEvent())]


def test_completion_knows_commands_tables_columns_and_arguments():
    assert "status" in completions("sta")
    assert "requests" in completions("select * from req")
    assert "latency_ms" in completions("select lat")
    assert "SELECT" in completions("sel")
    assert "spans" in completions("describe sp")
    assert "restart" in completions("act res")
    assert completions("act path caller=gateway ") == ["callee=", "path="]


def test_the_toolbar_tells_the_time_and_what_fires(drill):
    watch = Watch(drill, lambda *_: None)
    watch.firing = ["latency-fast-burn"]

    shown = watch.toolbar().value

    assert "latency-fast-burn" in shown
    assert "of 600 world min" in shown


def test_the_report_is_asked_for_and_asked_again_where_it_is_absurd(drill):
    answers = iter(["yes", "later", "", "the stream", "stream-lag", "region=EU",
                    "clicks=80..120..160 p99_ms=5 revenue=lots", "1 3", "2", "entries wait", "0.9", "",
                    "2026-02-25 06:13:20",
                    "clicks=80..120..160 p99_ms=5", "stream", ""])  # fmt: skip
    asked = []

    def ask(question, default, words):
        asked.append(question)
        return next(answers) or default

    told = []
    drill = store.Drill(drill.directory)
    run = replace(drill.run, wall_start=time.time() - 60)
    run.save()
    with pytest.raises(SandboxError) as refusal:
        interview(drill, ask, told.append)
    assert refusal.value.kind.code == "DRILL-003"
    assert not asked  # before the page no question is worth an answer
    drill.journal.append(run.world_start, "engine", "page", text="it is slow")

    report = interview(drill, ask, told.append, queries=["select 1", "select 2", "select 1"])

    assert report.causes[0].component == "stream"
    assert report.causes[0].segment == {"region": "EU"}
    assert report.impact["clicks"].low == 80
    assert report.impact["p99_ms"].estimate == 5
    assert [(e.claim, e.sql) for e in report.evidence] == [("entries wait", "select 2")]
    assert any("from 1 to 2" in t for t in told)
    assert any("impact" in t for t in told)
    assert any("started_at" in t for t in told)
    assert any("component" in t for t in told)
