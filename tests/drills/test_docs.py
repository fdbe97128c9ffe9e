"""What the pages on drills say, runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.base import strict_yaml
from sandbox.base.catalogue import LANGUAGES, REGIONS
from sandbox.base.errors import SandboxError
from sandbox.drill.authoring.check import checked
from sandbox.drill.authoring.view import view
from sandbox.drill.grading.grade import INCIDENT_WEIGHTS
from sandbox.drill.scenario import library
from sandbox.drill.scenario.finding import CODES
from sandbox.runtime.operate.actions import Action
from sandbox.telemetry.sql import SqlWorker
from tests.unit.drill.broken import changed, sound, text_of

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
    table = (DOCS / "grading.md").read_text()

    for item, weight in INCIDENT_WEIGHTS.items():
        if weight:
            assert f"| {item.replace('_', ' ')} | {weight:.2f}".replace("0.", ".") in table


def fragments() -> list[dict]:
    """The YAML of the page on scenarios that is a step or traffic."""
    found = [
        strict_yaml.parse(text.encode(), "scenarios.md", "DRILL-002").value for text in blocks("scenarios.md", "yaml")
    ]
    return [f for f in found if isinstance(f, dict) and ("fault" in f or "load" in f)]


@pytest.mark.parametrize("fragment", fragments(), ids=lambda f: next(iter(f)))
def test_a_step_or_traffic_shown_to_authors_passes_the_check(fragment):
    document = sound("slow-home")
    if "load" in fragment:
        document["load"] = fragment["load"]
    else:
        document["timeline"][2] = fragment
    text = text_of(document)

    found = checked(strict_yaml.parse(text.encode(), "slow-home.yaml", "DRILL-002"), "slow-home")

    assert list(found.findings) == []


def test_pulses_a_drift_a_ramp_and_a_burst_are_shown():
    shapes = {f["onset"]["shape"] for f in fragments() if "onset" in f}

    assert shapes == {"pulses", "drift", "ramp"}
    assert {f["load"]["shape"] for f in fragments() if "load" in f} == {"burst"}
    assert any("until_s" in f for f in fragments())


def test_every_code_of_the_check_is_told():
    page = (DOCS / "scenarios.md").read_text()

    assert all(f"| `{code}` | {told} |" in page for code, told in CODES.items())


def test_the_finding_shown_to_authors_is_the_one_they_get():
    page = (DOCS / "scenarios.md").read_text()
    shown = page[page.index("error bad-value") :].partition("```")[0]
    text = text_of(changed(sound("slow-home"), {"timeline.2.fault.params.delay_ms": 4000}))

    found = checked(strict_yaml.parse(text.encode(), "x", "DRILL-002"), "my-scenario.yaml")

    told = re.sub(r":\d+,", ":31,", str(view(found)).rpartition("my-scenario.yaml: ")[0])
    assert told.split() == shown.split()


def test_names_in_a_scope_are_those_there_are():
    page = (DOCS / "scenarios.md").read_text()

    assert "`regions`: " + ", ".join(f"`{r}`" for r in REGIONS) in page
    assert all(f"`{language}`" in page for language in LANGUAGES)
