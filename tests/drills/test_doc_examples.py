"""Every example of the pages runs, or is named here with why it does not. These lists only shrink."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from sandbox.base import paths
from sandbox.cli.app import root
from sandbox.drill.play.report import checked
from sandbox.drill.scenario import library
from sandbox.drill.scenario.queries import filled
from sandbox.drill.scenario.scenario import Evidence, Part, Scenario, Step
from sandbox.privacy import rules
from sandbox.room.twists import sets
from sandbox.telemetry.sql import SqlWorker
from tests.drills.doc_examples import PAGES, commands, examples
from tests.unit.drill.telltales import found_in

_STACK = "needs a running stack; tests/services/whole_stack and tests/drills/test_live.py have one"
_MINUTES = "takes minutes on the world `laptop`; "
NOT_RUN = {
    "sandbox up": _STACK,
    "sandbox recommend --user 42": _STACK,
    "sandbox load run --rate 20": _STACK,
    "sandbox sql 'select count(*), avg(latency_ms) from requests'": _STACK,
    "sandbox trace slowest": _STACK,
    "sandbox act breaker caller=gateway callee=ranking switch=on open_s=10": _STACK,
    "sandbox up --world films": _STACK,
    "sandbox up --replicas rules=2": _STACK,
    "sandbox act scale service=model n=2 --preview": _STACK,
    "sandbox drill start slow-home --backend virtual --autopilot": _MINUTES + "test_virtual.py does it on `tiny`",
    "sandbox evaluate --responder all --scenarios slow-home": _MINUTES + "test_virtual_pack.py",
    "sandbox evaluate --responder mine:Mine,do-nothing,gold --scenarios slow-home --seeds 3": _MINUTES
    + "the script below plays it",
    "sandbox scenario prove slow-home": _MINUTES + "tests/unit/drill/proof/test_prove.py",
    "sandbox scenario prove my-scenario": _MINUTES + "tests/unit/drill/proof/test_prove.py",
    "sandbox twin": _MINUTES + "test_virtual.py asks for one",
    "sandbox twin RUN --seeds 3": _MINUTES + "test_virtual.py",
    "sandbox twin RUN --plot harm.svg": _MINUTES + "test_virtual.py",
    "sandbox drill debrief --html debrief.html": "needs a drill that is over; tests/unit/cli/test_trainee_commands.py",
    "sandbox simulate --days 28 --users 20000 --arm more:rules.explore_share=0.1": _MINUTES + "the short one runs",
    "sandbox simulate --days 28 --users 20000 --arm explore:rules.explore_share=0.05": _MINUTES + "the short one runs",
    "sandbox bench parity --json": _MINUTES + "tests/unit/bench",
    "sandbox bench parity --minutes 2 --seeds 1 --timing timing.json": _STACK,
    "sandbox calibrate --out sandbox/virtual/machine/timing.json": _STACK,
    "sandbox calibrate --run RUN --json": _STACK,
    "sandbox world import movielens '~/ml-100k' --name films": "needs files that do not ship; tests/unit/importers",
    "sandbox world import csv --interactions shop.csv --items products.csv --name shop --map user=customer"
    " --map item=sku --map time=when --map value=stars": "as above",
    "sandbox load run --shape poisson --rate 10 --seconds 60": _STACK,
    "sandbox load knee --slo 'p99<150ms'": _STACK,
    "sandbox load compare as-is 'retries caller=ranking callee=model attempts=3'": _STACK,
    "sandbox bench warroom --json": _MINUTES + "tests/drills/test_room_bench.py measures less of it",
    "sandbox mcp --room CODE --name robot --role commander": "needs a served room; tests/unit/mcp",
    "sandbox mcp --scenario slow-home --world tiny": "says nothing unasked; tests/unit/mcp asks it over stdio",
}
EXCERPTS = {  # parts of files that tests cover: page and first line
    "writing-a-fault.md: class EdgeLatency(Fault):": "faults/rpc/edge_latency.py, shortened",
    "writing-a-fault.md: def test_a_call_in_scope_takes_the_delay_longer(bench):": "a test of tests/unit/faults",
}
# A page that walks through a drill gives it away, and says so at its top.
GIVES_AWAY = {("trainee.md", "slow-home")}

DONE = [command for command in commands() if command not in NOT_RUN]


def test_what_is_not_run_is_still_on_a_page():
    assert set(NOT_RUN) <= set(commands())
    assert set(EXCERPTS) <= {one.name for one in examples("python")}
    assert all(why.strip() for why in (*NOT_RUN.values(), *EXCERPTS.values()))
    assert len(NOT_RUN) <= 32
    assert len(EXCERPTS) <= 2


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_with_these_options(command):
    """Parsed as it would be, down to its last option, and not carried out."""
    context, words = (root().make_context("sandbox", shlex.split(command)[1:]), shlex.split(command)[1:])
    kind = root()
    while hasattr(kind, "get_command") and words:
        found = kind.get_command(context, words[0])
        assert found is not None, f"no command {words[0]}"
        kind, words = found, words[1:]
        if not hasattr(kind, "get_command"):
            kind.make_context(found.name, words, parent=context)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", DONE)
def test_every_command_that_is_not_excused_runs(command, home, tmp_path):
    core, own = library.root() / "core" / "slow-home.yaml", paths.home() / "scenarios"
    own.mkdir(exist_ok=True)
    mine = own / "my-scenario.yaml"
    mine.write_text(core.read_text().replace("id: slow-home", "id: my-scenario"))
    (tmp_path / "measurements.csv").write_text("n,x\n1,98\n2,190\n4,360\n8,640\n16,980\n32,1150\n")
    if " scenario new " in command:
        mine.unlink()

    done = sandbox(command, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("example", examples("sql"), ids=lambda e: e.name)
def test_every_query_runs(example, tmp_path):
    times = {"began": 1e9, "paged": 1e9 + 600, "now": 1e9 + 1200}
    with SqlWorker(tmp_path / "lake") as lake:
        lake.query(filled(example.text.strip().rstrip(";"), times))


def of_a_scenario(kind: type[Part], part: dict[str, Any]) -> None:
    """Raises where a value is none of that field's."""
    if kind is Step:
        Step.model_validate(part)
        return
    for name, value in part.items():
        TypeAdapter(Scenario.model_fields[name].annotation).validate_python(value)


@pytest.mark.parametrize("example", examples("yaml"), ids=lambda e: e.name)
def test_every_piece_of_yaml_is_what_it_is_said_to_be(example, tmp_path):
    """A part of a report or of a scenario, a set of injects, a law, or pieces of evidence whose queries run."""
    part = yaml.safe_load(example.text)
    if isinstance(part, dict) and example.page == "scenarios.md":
        for kind in (Step, Scenario):
            if part.keys() <= kind.model_fields.keys():
                return of_a_scenario(kind, part)
    if isinstance(part, dict) and example.page == "privacy.md":
        rules.parse(example.text.encode(), example.page)
        return
    if isinstance(part, dict) and example.page == "warroom.md":
        (tmp_path / "set.yaml").write_text(example.text)
        sets.load(tmp_path / "set.yaml")
        return
    if isinstance(part, dict):
        whole = checked({"incident": True, "component": "gateway", "mechanism": "latency", "started_at": 1.0, **part})
        assert part.keys() <= whole.model_dump().keys()
        return
    with SqlWorker(tmp_path / "lake") as lake:
        for one in part:
            piece = Evidence.model_validate(one)
            lake.query(filled(piece.sql, {"began": 1e9, "paged": 1e9 + 600, "now": 1e9 + 1200}))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("example", [e for e in examples("python") if e.name not in EXCERPTS], ids=lambda e: e.name)
def test_every_script_runs_as_it_stands_and_without_a_guard(example, home, tmp_path):
    """On the smallest world. The workers that compute the twin import nothing of it."""
    script = example.text.replace('DrillEnv("slow-home"', 'DrillEnv("slow-home", world="tiny"')
    assert 'world="tiny"' in script
    script = script.replace('if __name__ == "__main__":', 'print("begins")\nif True:')
    (tmp_path / "mine.py").write_text(script)

    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=580, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("begins") == 1
    score = float(done.stdout.split()[1])
    assert 0.05 < score < 0.8, "more than a grade of nothing, and no solution"
    assert "'evidence'" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_page_gives_a_scenario_of_the_pack_away(page):
    told = page.read_bytes()

    for scenario in library.load_all().values():
        if (page.name, scenario.id) in GIVES_AWAY:
            continue
        found = found_in(told, scenario, words=False)
        assert [text for text in found if text != scenario.precedent] == [], scenario.id


def test_every_fence_with_a_language_is_looked_at():
    known = ("sh", "bash", "python", "yaml", "sql", "mermaid", "")
    fences = sum(page.read_text().count("\n```") for page in PAGES)

    assert fences == 2 * len(examples(*known)), "a fence that no test reads, or that does not end"


def sandbox(command: str, where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox.cli.app", *shlex.split(command)[1:]], cwd=where,
        capture_output=True, text=True, check=False, timeout=280, stdin=subprocess.DEVNULL,
    )  # fmt: skip
