"""The drill shell answers SQL and words, asks before it does anything, and survives what people type."""

from __future__ import annotations

import io
from threading import Timer

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from rich.console import Console

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.drill.debrief.document import debriefed
from sandbox.drill.grading.outcome import outcome
from sandbox.drill.play import live_drill, standing, typed
from sandbox.drill.play.live_desk import LiveDesk
from sandbox.drill.terminal import leaving
from sandbox.drill.terminal.completion import ShellCompleter
from sandbox.drill.terminal.debrief import render
from sandbox.drill.terminal.shell import HELP, Shell
from sandbox.drill.terminal.watch import Watch
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.stack import Stack
from tests.unit.drill.desk import WORLD_START, Scripted, begun_drill, paged


@pytest.fixture
def drill(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return begun_drill(tmp_path)


class Still:
    """What operations act on where no process is: everything can be done and nothing comes of it."""

    def now(self) -> float:
        return WORLD_START

    def reload(self, services):
        return dict.fromkeys(services, 1)

    def rows(self, table, rows):
        pass

    def versions_of(self, artifact):
        return []


@pytest.fixture
def shell(drill, monkeypatch):
    run = drill.run
    Config().save(run.path)
    monkeypatch.setattr("sandbox.runtime.operate.operations.LivePlatform", lambda _run: Still())
    monkeypatch.setattr(Stack, "require_up", lambda self: None)
    with LiveDesk(drill) as desk:
        yield Shell(desk, Console(file=io.StringIO(), width=200))


def said(shell: Shell, line: str, *answers: str | BaseException) -> str:
    shell.console.file.seek(0)
    shell.console.file.truncate()
    if answers:
        shell.ask = Scripted(*answers)
    assert shell.answer(line)
    assert not answers or shell.ask.left == 0, "every answer was asked for"
    shell.ask = None
    return shell.console.file.getvalue()


def test_sql_is_typed_directly(shell):
    assert "42" in said(shell, "select 41 + 1 as answer")
    assert "0 rows" in said(shell, "select * from requests;")
    both = said(shell, "select 1 as a; -- one\nselect ';' as b;")
    assert "1 row" in both
    assert "b" in both


def test_the_times_of_a_drill_can_be_typed_as_its_scenarios_write_them(shell, drill):
    began = drill.began()

    assert "2026-02-25 06:13:20" in said(shell, "select $began as t")
    assert "LAKE-004" in said(shell, "select $paged as t"), "there was no page yet"
    drill.journal.append(began + 90, "engine", "page", text="it is slow")
    assert "2026-02-25 06:14:50" in said(shell, "select $paged as t")
    assert "true" in said(shell, "select $now < $began + interval 10 minute as soon").lower()
    assert shell.asked[0] == "select $began as t", "a report asks it again at its own time"


def test_what_was_asked_is_still_known_to_the_next_shell(shell, drill):
    said(shell, "select 1 as one")

    after = Shell(shell.desk, Console(file=io.StringIO()))

    assert after.asked == ["select 1 as one"]


def test_queries_and_looks_are_noted_with_their_times_for_the_debrief(shell, drill):
    for line in ("select 1 as one", "alerts", "tables", "trace nosuch", "select nothing from requests"):
        said(shell, line)

    looks = shell.notebook.looks()

    assert [(look.text, look.is_query) for look in looks] == [("select 1 as one", True), ("alerts", False)]
    assert all(look.world_ts and look.world_ts >= WORLD_START and look.wall_ts for look in looks)


def test_what_does_not_run_is_explained_in_the_shells_own_words(shell):
    assert "LAKE-00" in said(shell, "drop table requests")
    assert "DRILL-006" in said(shell, "hint"), "no driver runs here"
    assert "one row per" in said(shell, "tables")
    for line in (
        "select nothing from requests",
        "select * from request",
        "describe nothing",
        "trace nosuch",
        "trace",
        "revert",
        "act revert change=9",
        "act fly",
        "hint",
        "act path caller=x callee=y path=b",
        "select $paged",
    ):
        told = said(shell, line)
        assert "sandbox sql" not in told, line
        assert "sandbox act" not in told, line
        assert "sandbox trace" not in told, line
        assert "sandbox drill status" not in told, line


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("foo bar", ""),
        ("selct 1", "`select`"),
        ("alert", "`alerts`"),
        ("reprot", "`report`"),
        ("requests", "`describe requests`"),
    ],
)
def test_nonsense_is_no_such_command_and_never_bad_sql(shell, line, meant):
    told = said(shell, line)

    assert "no such command" in told
    assert meant in told
    assert "LAKE" not in told


def test_who_waits_on_a_live_drill_waits_until_then_or_the_page(shell, drill, monkeypatch):
    monkeypatch.setattr(standing.drills, "running_on", lambda _: True)
    before = shell.desk.now()

    assert "it is" in said(shell, "wait 0.5")
    waited = shell.desk.now()
    assert waited >= before + 30

    page = Timer(0.3, lambda: drill.journal.append(waited, "engine", "page", text="it is slow"))
    page.start()
    assert "stopped at the page" in said(shell, "wait 300")


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), EOFError(), OSError("no such file")])
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
    for name in ("help", "alerts;", "changes", "words"):
        assert said(shell, name)


def test_every_command_is_in_the_help(shell):
    listed = {name.split()[0] for name in HELP}

    assert set(shell.commands) <= listed


def test_nothing_that_is_shown_names_the_fault(shell):
    for name in ("status", "page", "alerts", "changes", "help", "tables", "act"):
        assert "session-stream-lag" not in said(shell, name)


def test_a_query_costs_no_new_process(shell):
    said(shell, "select 1")
    worker = shell.desk.lake().pid

    for line in ("select 2", "alerts", "trace latest", "act path", "changes"):
        said(shell, line)

    assert shell.desk.lake().pid == worker


# -- actions ---------------------------------------------------------------------------------------

PATH = "act path caller=gateway callee=features path=b"


def test_an_action_is_shown_and_asked_for_every_time(shell, drill):
    refused = said(shell, PATH, "what", "no")
    assert "gateway->features: path a becomes b" in refused
    assert "blast radius: gateway" in refused
    assert "nothing was done" in refused
    assert Operations(drill.run).records() == []

    assert "nothing was done" in said(shell, PATH, "")
    assert "stopped" in said(shell, PATH, KeyboardInterrupt())
    assert Operations(drill.run).records() == []

    assert "done: change 1, a -> b" in said(shell, PATH, "yes")
    assert "done: change 2" in said(shell, f"{PATH} --yes")
    assert "done" not in said(shell, f"{PATH} --preview")
    assert len(Operations(drill.run).records()) == 2


def test_without_anybody_to_ask_nothing_is_done_unless_that_was_said(shell, drill):
    assert "CFG-004" in said(shell, PATH)
    assert "--yes" in said(shell, PATH)
    assert Operations(drill.run).records() == []


def test_an_action_alone_says_what_its_arguments_may_be_and_what_is_in_force(shell, drill):
    said(shell, f"{PATH} --yes")

    assert "gateway->features b" in said(shell, "act path")
    assert "1 to 10000" in said(shell, "act deadline")
    assert "redis, collector" in said(shell, "act restart")
    assert "1 (gateway features.path)" in said(shell, "act revert")
    assert "off on every edge" in said(shell, "act breaker")
    assert "ann, covisit" in said(shell, "act disable-source")


def test_changes_carry_the_numbers_that_revert_takes(shell, drill):
    assert "nothing was changed" in said(shell, "changes")
    said(shell, f"{PATH} --yes")

    assert "│ 1 │" in said(shell, "changes")
    assert "done: change 2, b -> a" in said(shell, "act revert change=1", "yes")
    assert "done" in said(shell, "act revert target=gateway key=features.path --yes")


@pytest.mark.parametrize(
    "text",
    [
        "fly", "", "path", "path caller=gateway", "path caller=gateway callee=features path=z",
        "path caller=gateway callee=moon path=b", "path caller=gateway callee=features path=a path=b",
        "path caller=gateway callee=features path=", "path caller=gateway callee=features path=b now",
        "deadline caller=gateway callee=rules ms=soon", "deadline caller=gateway callee=rules ms=-4",
        "deadline caller=gateway callee=rules ms=1e9", "deadline caller=gateway callee=rules ms=nan",
        "breaker caller=gateway callee=rules switch=maybe", "breaker caller=gateway callee=rules switch=off open_s=3",
        "breaker caller=gateway callee=rules switch=on open_s=-3", "promote artifact=ranker version=rk-99",
        "promote artifact=moon version=rk-1", "promote artifact=index version=../../x", "nprobe n=0",
        "nprobe n=1.5", "nprobe n=1e9", "revert change=7", "revert change=x", "revert target=x key=y",
        "restart service=moon", "replay minutes=-1", "replay minutes=some", "disable-source source=moon",
        "enable-source source=moon", "rebuild-index now=yes",
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_its_preview_and_its_deed_alike(shell, drill, text):
    operations = Operations(drill.run)
    codes = []
    for does in (lambda: typed.planned(text, operations).preview, lambda: typed.act(text, operations)):
        with pytest.raises(SandboxError) as refusal:
            does()
        codes.append((refusal.value.kind.code, refusal.value.where))

    assert codes[0] == codes[1]
    assert operations.records() == []


# -- hints and leaving -------------------------------------------------------------------------------


def test_a_hint_says_its_price_and_asks_before_it_is_given(shell, drill, monkeypatch):
    monkeypatch.setattr(standing.drills, "running_on", lambda _: True)

    assert "no hint was taken" in said(shell, "hint", "no")
    assert standing.status(drill)["hints_given"] == []
    asking = Scripted("yes")
    shell.ask = asking
    shell.answer("hint")
    assert "3% of the whole score" in asking.asked[0]
    assert "two" in said(shell, "hint --yes")
    assert standing.status(drill)["hints_given"] == ["one", "two"]


@pytest.mark.parametrize(
    ("answers", "gone"),
    [
        (["stay"], False), ([""], False), (["away", "s"], False), ([KeyboardInterrupt()], False),
        (["leave"], True), (["l"], True), ([EOFError()], True),
    ],
)  # fmt: skip
def test_nobody_leaves_a_drill_by_accident(shell, answers, gone):
    shell.ask = Scripted(*answers)

    assert leaving.leaves(shell) is gone

    told = shell.console.file.getvalue()
    assert ("sandbox drill attach" in told) is gone
    assert shell.ask.left == 0


def test_a_drill_that_is_over_is_left_without_a_question(shell, drill):
    drill.journal.append(WORLD_START + 9, "engine", "phase", name="debrief")
    shell.ask = Scripted()

    assert leaving.leaves(shell)


def test_an_abandoned_drill_has_a_debrief_without_marks(shell, drill, monkeypatch):
    paged(drill)
    monkeypatch.setattr(live_drill, "let_stack_go", lambda *_: None)
    shell.twin = False
    shell.ask = Scripted("abandon", "a")

    assert leaving.leaves(shell)

    told = shell.console.file.getvalue()
    assert "given up, without marks" in told
    assert "stream-lag" in told, "the truth"
    assert "you give it up" in told, "the timeline"
    document = outcome(drill, twin=False)
    assert document["score"] == 0.0
    assert {item["score"] for item in document["items"]} == {0.0}
    with pytest.raises(SandboxError, match="DRILL-006"):
        shell.desk.abandon()


def test_one_that_is_given_up_before_it_went_wrong_tells_its_truth_too(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    drill = begun_drill(tmp_path, armed=False)
    drill.journal.append(WORLD_START + 60, "trainee", "abandoned")
    result = outcome(drill, twin=False)
    console = Console(file=io.StringIO(), width=120)

    console.print(render(debriefed(drill, result)))

    told = console.file.getvalue()
    assert "stream-lag" in told
    assert "before it went wrong" in told
    assert "left out" not in told


# -- the prompt ----------------------------------------------------------------------------------------


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

    shown = " ".join(watch.parts())

    assert "latency-fast-burn" in shown
    assert "of 600 world min" in shown
    watch.over = True
    assert "over" in " ".join(watch.parts())


class Lines:
    """A terminal that gives lines, or what happens instead of one."""

    def __init__(self, *lines):
        self._lines = list(lines)

    def line(self):
        line = self._lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line


def test_ctrl_d_asks_as_quit_does(shell):
    shell.ask = Scripted("stay", "leave")

    leaving.converse(shell, Lines(None, "page", "quit"))

    assert shell.ask.left == 0
    assert "no page yet" in shell.console.file.getvalue()


@pytest.mark.parametrize("end", [SystemExit(129), RuntimeError("a crash")])
def test_a_closed_terminal_and_a_crash_leave_the_drill_running(shell, drill, capsys, end):
    with pytest.raises(type(end)):
        leaving.converse(shell, Lines("page", end))

    assert "sandbox drill attach" in capsys.readouterr().err
    assert not standing.is_over(drill)


def test_a_drill_whose_driver_was_killed_ended_where_its_journal_does(drill):
    """The clock of its run goes on for ever."""
    drill.journal.append(WORLD_START + 600, "engine", "page", text="it is slow")

    live_drill.give_up(drill)

    assert drill.entries()[-1].world_ts == WORLD_START + 600
    assert standing.is_over(drill)
