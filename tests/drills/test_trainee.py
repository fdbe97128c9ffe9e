"""A trainee at a terminal: paged, asking, acting, hung up on, back again, reporting, debriefed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.drill.debrief.page import page
from sandbox.drill.scenario import library
from tests.drills.at_terminal import AtTerminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
START_S = 180.0  # to load models on a busy machine


@pytest.fixture
def own_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for runs and drills, with the worlds that are built already."""
    own = tmp_path / "home"
    own.mkdir()
    (own / "worlds").symlink_to(home / "worlds")
    monkeypatch.setenv("SANDBOX_HOME", str(own))
    return own


@pytest.fixture
def quieter(tmp_path: Path) -> Path:
    path = tmp_path / "slow-home.yaml"
    whole = (library.root() / "core" / "slow-home.yaml").read_text()
    path.write_text(whole.replace("rate_per_s: 20", "rate_per_s: 4"))
    return path


def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox.cli.app", *arguments],
        capture_output=True, text=True, check=False, timeout=200, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_virtual_drill_from_page_to_debrief_with_a_hang_up_between(own_home: Path, quieter: Path) -> None:
    with AtTerminal("drill", "start", str(quieter), "--backend", "virtual", "--world", "tiny", "--no-twin") as at:
        at.sees("drill>", START_S)
        at.types("foo bar")
        at.sees("no such command")
        at.types("report")
        at.sees("a report before the page")
        at.types("wait 300")
        assert "PAGE  latency" in at.sees("stopped at the page", 120)
        at.types("select count(*) as asked,")
        at.types("max(ts) from requests;")
        at.sees("1 row")
        at.types("select * from requests limit 9;")  # wide and long: by the page
        at.sees("more lines")
        at.types("q")
        at.types("act path caller=gateway callee=features path=z")
        at.sees("DRILL-007")
        at.types("act path caller=gateway callee=features path=b")
        at.sees("Do it, yes or no? [no]")
        at.types("yes")
        at.sees("done: change")
        at.sees("drill>")  # a key that is pressed while a command runs is the kernel's to read
        at.presses("\x04")
        at.sees("leave it running, abandon it")
        at.types("stay")
        at.types("status")
        at.sees("you did: path caller=gateway")
    assert at.process.returncode != 0, "the terminal went, and the shell with it"
    told = json.loads(sandbox("drill", "status", "--json").stdout)
    assert told["phase"] == "incident"

    with AtTerminal("drill", "attach", "--no-twin") as at:
        assert "PAGE  latency" in at.sees("drill>", START_S)
        at.types("changes")
        at.sees("features.path")
        at.types("report")
        at.sees("[yes]")
        at.types("yesy")
        at.sees("neither yes nor no")
        for question, answer in (
            ("Was there an incident", "y"), ("Which component?", "gateway -> features"),
            ("Which mechanism", "slow egde"), ("did you mean slow-edge", "slow-edge"),
            ("When did it begin", "08:35"), ("Whom does it hit", ""), ("Another cause?", ""),
            ("When was it seen?", ""), ("How great is the harm", "p99_ms=30..60"),
            ("Which of these queries", "1"), ("What does 1 show?", ""), ("What else did you", ""),
            ("How sure are you", "0.8"), ("Notes", ""), ("File it", "file"),
        ):  # fmt: skip
            at.sees(question)
            at.types(answer)
        at.sees("score", 60)
        at.sees("more lines")
        at.types("a")
        at.sees("precedent")
        at.types("quit")
        assert at.ends() == 0
    html = own_home / "debrief.html"
    debrief = json.loads(sandbox("drill", "debrief", "--no-twin", "--html", str(html), "--json").stdout)
    assert debrief["score"] > 0.5
    told = [line["what"] for line in debrief["timeline"]]
    assert {"the fault begins", "page", "you ask", "you look", "you act", "you report"} <= set(told)
    assert all(line["wall"] for line in debrief["timeline"] if line["what"] == "you ask")
    assert [query["used"] for query in debrief["queries"]] == ["evidence", None]
    assert html.read_text() == page(debrief)


def test_a_drill_that_was_left_can_be_given_up_and_tells_its_truth(own_home: Path, quieter: Path) -> None:
    with AtTerminal("drill", "start", str(quieter), "--backend", "virtual", "--world", "tiny", "--no-twin") as at:
        at.sees("drill>", START_S)
        at.types("quit")
        at.sees("leave it running")
        at.types("leave")
        at.sees("sandbox drill attach")
        assert at.ends() == 0

    refused = sandbox("drill", "debrief", "--json")
    assert json.loads(refused.stderr)["code"] == "DRILL-006"
    given_up = json.loads(sandbox("drill", "debrief", "--abandon", "--no-twin", "--json").stdout)

    assert given_up["score"] == 0.0
    assert all(item["score"] == 0 for item in given_up["items"])
    assert given_up["truth"]
    assert json.loads(sandbox("drill", "attach", "--json").stderr)["code"] == "DRILL-006"
