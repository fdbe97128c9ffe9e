"""What a trainee types outside the shell: nothing waits for an answer that cannot come, and nothing is done
unasked."""

from __future__ import annotations

import json

import pytest

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.cli.app import main
from sandbox.drill.debrief.page import page
from sandbox.drill.play import live_drill, standing
from sandbox.drill.play.notebook import Notebook
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.rundir import point_latest_to
from sandbox.runtime.stack import Stack
from tests.unit.drill.desk import WORLD_START, begun_drill, paged
from tests.unit.drill.terminal.test_shell import Still

PATH = ("act", "path", "caller=gateway", "callee=features", "path=b")


@pytest.fixture
def drill(tmp_path, monkeypatch):
    """A live drill whose stack and driver are said to be up."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    made = begun_drill(tmp_path)
    Config().save(made.run.path)
    point_latest_to(made.run.path)
    monkeypatch.setattr("sandbox.runtime.operate.operations.LivePlatform", lambda _run: Still())
    monkeypatch.setattr(Stack, "require_up", lambda self: None)
    monkeypatch.setattr(standing.drills, "running_on", lambda _: not standing.is_over(made))
    return made


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([*arguments])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


@pytest.mark.parametrize("json_", [(), ("--json",)])
def test_an_action_needs_a_yes_where_nobody_can_be_asked(capsys, drill, json_):
    code, _, err = run(capsys, *PATH, *json_)

    assert code == 2
    assert "CFG-004" in err
    assert "--yes" in err
    assert Operations(drill.run).records() == []
    code, out, _ = run(capsys, *PATH, "--yes", "--json")
    assert code == 0
    assert json.loads(out)["done"]["new"] == "b"
    assert len(Operations(drill.run).records()) == 1


def test_a_preview_refuses_what_the_deed_would_refuse(capsys, drill):
    bad = (*PATH[:-1], "path=z")
    refusals = [json.loads(run(capsys, *bad, how, "--json")[2]) for how in ("--preview", "--yes")]

    assert refusals[0] == refusals[1]
    assert refusals[0]["code"] == "DRILL-007"
    assert json.loads(run(capsys, *PATH, "--preview", "--json")[1])["preview"]["touches"]
    assert Operations(drill.run).records() == []


def test_an_action_alone_is_explained(capsys, drill):
    code, out, _ = run(capsys, "act", "path", "--json")
    told = {one["name"]: one for one in json.loads(out)["arguments"]}

    assert code == 0
    assert told["path"]["legal"] == "a, b"
    assert "gateway->features a" in told["path"]["now"]
    code, out, _ = run(capsys, "act", "deadline")
    assert "1 to 10000" in out
    code, _, err = run(capsys, "act", "pathh", "--json")
    assert "did you mean path?" in json.loads(err)["fix"]


def test_changes_are_listed_with_their_numbers(capsys, drill):
    run(capsys, *PATH, "--yes")

    code, out, _ = run(capsys, "act", "--list-changes")

    assert code == 0
    assert "gateway features.path" in " ".join(out.split())
    assert json.loads(run(capsys, "act", "--list-changes", "--json")[1])[0]["n"] == 1


def test_a_hint_needs_a_yes_and_is_not_taken_without(capsys, drill):
    code, _, err = run(capsys, "drill", "hint", "--json")

    assert (code, json.loads(err)["code"]) == (2, "CFG-004")
    assert standing.status(drill)["hints_given"] == []
    assert json.loads(run(capsys, "drill", "hint", "--yes", "--json")[1]) == {"hint": "one"}


def test_a_drill_that_is_not_over_has_no_debrief_unless_it_is_given_up(capsys, drill, monkeypatch):
    monkeypatch.setattr(live_drill, "_until_closed", lambda _: None)
    paged(drill)
    code, _, err = run(capsys, "drill", "debrief", "--no-twin", "--json")
    assert (code, json.loads(err)["code"]) == (2, "DRILL-006")

    code, out, _ = run(capsys, "drill", "debrief", "--abandon", "--no-twin", "--json")

    told = json.loads(out)
    assert code == 0
    assert told["score"] == 0.0
    assert told["timeline"][-1]["what"] == "you give it up"
    code, out, _ = run(capsys, "drill", "debrief", "--no-twin", "--json")
    assert json.loads(out) == told, "once more"
    code, _, err = run(capsys, "drill", "report", "--file", "x.yaml", "--json")
    assert code == 2


def test_a_debrief_is_written_as_a_page_once_the_drill_is_over(capsys, drill, monkeypatch, tmp_path):
    monkeypatch.setattr(live_drill, "_until_closed", lambda _: None)
    paged(drill)
    html = tmp_path / "debrief.html"
    html.write_text("an older one")
    written = ("drill", "debrief", drill.plan.drill, "--html", str(html), "--no-twin")
    code, _, err = run(capsys, *written, "--json")
    assert (code, json.loads(err)["code"]) == (2, "DRILL-006")
    assert html.read_text() == "an older one", "no truth before the drill is over"

    code, out, _ = run(capsys, *written, "--abandon", "--json")

    assert code == 0
    assert html.read_text() == page(json.loads(out)), "the page is made from the document alone"
    assert "session-stream-lag" in html.read_text()
    report = tmp_path / "incident.md"
    code, out, _ = run(capsys, *written, "--markdown", str(report))
    assert code == 0
    assert out.splitlines()[-2:] == [f"written: {html}", f"written: {report}"]
    assert report.read_text().startswith("# Incident report: A small drill\n")


def test_what_is_asked_by_single_commands_is_noted_while_the_drill_runs(capsys, drill):
    looks = Notebook(drill.directory).looks
    query = "select $began as began"
    assert run(capsys, "sql", query, "--json")[0] == 0
    assert run(capsys, "trace", "nosuch", "--json")[0] != 0
    assert run(capsys, "sql", "select nothing", "--json")[0] != 0

    (noted,) = looks()

    assert (noted.text, noted.is_query) == (query, True)
    assert noted.world_ts is not None
    assert noted.world_ts >= WORLD_START
    drill.journal.append(WORLD_START + 9, "engine", "phase", name="debrief")
    run(capsys, "sql", query)
    assert len(looks()) == 1, "what is asked afterwards is no part of the drill"
    assert not any(path.suffix == ".jsonl" for path in drill.run.path.iterdir()), "nor does it lie in the run"


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("debrief.txt", "CFG-004"),
        ("nowhere/debrief.html", "CFG-002"),
        ("folder.html", "CFG-002"),
        ("x/y.html", "CFG-002"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_done(capsys, drill, tmp_path, file, code):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "x").write_text("a file, not a folder")

    left, _, err = run(capsys, "drill", "debrief", "--html", str(tmp_path / file), "--abandon", "--json")

    refusal = json.loads(err)
    assert (left, refusal["code"]) == (2, code)
    assert all(refusal[part] for part in ("where", "seen", "expected", "fix"))
    assert not standing.is_over(drill), "it was not given up"


def test_a_drill_is_named_once(capsys, drill):
    _, _, err = run(capsys, "drill", "debrief", "x", "--run-dir", str(drill.run.path), "--json")
    assert json.loads(err)["code"] == "CFG-004"
    _, _, err = run(capsys, "drill", "debrief", "nosuch", "--json")
    refusal = json.loads(err)
    assert (refusal["code"], refusal["where"]) == ("DRILL-006", "sandbox drill debrief")


def test_a_drill_that_is_taken_up_needs_a_terminal(capsys, drill):
    told = json.loads(run(capsys, "drill", "attach", "--json")[1])
    assert told["drill"] == drill.plan.drill

    code, _, err = run(capsys, "drill", "attach")

    assert code == 2
    assert "sandbox drill status" in err
    drill.journal.append(WORLD_START + 9, "engine", "phase", name="debrief")
    assert json.loads(run(capsys, "drill", "attach", "--json")[2])["code"] == "DRILL-006"


class Busy:
    """A stack that is up."""

    def __init__(self, run_dir):
        self.run_dir = run_dir

    def status(self):
        row = {"pid": 1, "rss_bytes": 300 * 2**20, "healthy": True}
        return {"services": [row, row, {"pid": None, "rss_bytes": None, "healthy": False}]}


def test_a_second_start_says_what_is_up_and_what_it_costs(capsys, drill, monkeypatch):
    monkeypatch.setattr(Stack, "running", classmethod(lambda cls: [Busy(drill.run.path)]))

    def started(*_args, **_options):
        raise SandboxError("RUN-003", where="here", seen="started", expected="-", fix="-")

    monkeypatch.setattr(live_drill, "start", started)
    code, _, err = run(capsys, "drill", "start", "slow-home", "--json")
    refusal = json.loads(err)

    assert (code, refusal["code"]) == (2, "RUN-009")
    assert "2 processes, 600 MiB, drill “A small drill”" in refusal["seen"]
    assert "sandbox drill attach" in refusal["fix"]
    for way in (("--beside",), ("--run-dir", str(drill.run.path))):
        _, _, err = run(capsys, "drill", "start", "slow-home", *way, "--json")
        assert json.loads(err)["code"] == "RUN-003", "it went on to start"


def test_a_report_that_this_version_cannot_read_is_told_as_one(capsys, drill):
    drill.journal.append(WORLD_START + 1_300, "trainee", "report", report={"incident": True, "blame": "the stream"})

    for command in (("drill", "debrief"), ("drill", "debrief", "--no-twin", "--json")):
        code, _, err = run(capsys, *command)
        assert code == 2
        assert "CFG-003" in err
        assert "blame" in err


def test_the_twin_and_the_debrief_of_a_drill_with_a_hand_in_it_see_it_as_planned(capsys, drill, monkeypatch):
    """The hand's change 1 and its revert are not there, and the team's own change is number 1 then."""
    paged(drill)
    drill.journal.append(WORLD_START + 1_200, "instructor", "by_hand_done", name="h1", change=1)
    for n in (1, 2):
        drill.journal.append(WORLD_START + 1_250, "trainee", "action", text=f"revert change={n}", forms=[])
    drill.journal.append(WORLD_START + 1_300, "trainee", "abandoned")
    seen = []

    def looked(of, *_, **__):
        seen.append([entry.fields["text"] for entry in of.entries() if entry.what == "action"])
        raise SandboxError("DRILL-006", where="here", seen="enough", expected="-", fix="-")

    monkeypatch.setattr("sandbox.drill.twin.story.document", looked)
    monkeypatch.setattr("sandbox.drill.grading.outcome.outcome", looked)
    for command in (("twin",), ("drill", "debrief")):
        assert run(capsys, *command)[0] != 0

    assert seen == [["revert change=1"]] * 2
