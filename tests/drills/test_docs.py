"""What the pages on drills say, runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill import library
from sandbox.drill.grading import INCIDENT_WEIGHTS
from sandbox.runtime.actions import Action
from sandbox.telemetry.sql import SqlWorker

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.S)


def test_every_query_of_the_trainee_guide_runs(tmp_path):
    queries = blocks("trainee.md", "sql")

    assert len(queries) >= 3
    with SqlWorker(tmp_path / "lake") as lake:
        for query in queries:
            lake.query(query.strip().rstrip(";"))


def test_the_deed_of_the_trainee_guide_is_the_one_that_helps():
    deed = re.search(r"^act (.*)$", (DOCS / "trainee.md").read_text(), re.M)

    assert deed is not None
    Action.parse(deed[1].split())
    assert deed[1] in library.gentlest().accept


def test_the_refusal_shown_to_authors_is_the_one_they_get(tmp_path):
    page = (DOCS / "scenarios.md").read_text()
    shown = page[page.index("DRILL-002 scenario refused") :].partition("```")[0]
    gentlest = library.root() / "core" / f"{library.gentlest().id}.yaml"
    path = tmp_path / "my-scenario.yaml"
    path.write_text(gentlest.read_text().replace("delay_ms: 40", "delay_ns: 40"))

    with pytest.raises(SandboxError) as caught:
        library.load(path)

    said = re.sub(r":\d+,", ":31,", str(caught.value))
    assert said.split() == shown.split()


def test_the_weights_in_the_docs_are_those_of_the_grader():
    table = (DOCS / "scenarios.md").read_text()

    for item, weight in INCIDENT_WEIGHTS.items():
        if weight:
            assert f"| {item.replace('_', ' ')} | {weight:.2f}".replace("0.", ".") in table
