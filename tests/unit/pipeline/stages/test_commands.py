"""`sandbox pipeline` answers with one document, ends with 1 where a check stops it, and shows what ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.base.errors import SandboxError
from sandbox.cli.pipeline import app
from tests.unit.pipeline.stages.small import small_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    return small_world(tmp_path / "worlds" / "two-tastes")


def answer(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--world", "two-tastes", "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code
    return json.loads(result.stdout)


def test_a_run_says_of_each_stage_what_it_read_and_what_it_dropped(world: Path) -> None:
    document = answer("run", "--until", "privacy")
    again = answer("run", "--until", "privacy")

    assert (document["run"], again["run"], document["blocked_by"]) == ("p-1", "p-2", None)
    last = document["stages"][-1]
    assert set(last) == {"stage", "rows_in", "rows_out", "dropped", "inputs", "cached", "seconds"}
    assert last["rows_in"] == last["rows_out"] + sum(last["dropped"].values())
    assert set(last["inputs"]) == {"impressions_human", "outcomes_human", "source.consent"}
    assert [stage["cached"] for stage in again["stages"]] == [True] * 4


def test_a_run_that_a_check_stops_ends_with_one_and_is_shown(world: Path) -> None:
    blocked = answer("run", "--until", "ingest", "--as-of", "1970-01-02T00:00:00Z", code=1)

    assert blocked["blocked_by"]["check"] == "ingest_impressions"
    assert answer("status")[0]["status"] == "blocked"
    assert any(found["verdict"] == "fail" for found in answer("status", "p-1")["checks"])
    assert answer("run", "--until", "ingest")["blocked_by"] is None


def test_the_graph_has_every_stage_with_the_counts_of_the_latest_run(world: Path, tmp_path: Path) -> None:
    answer("run", "--until", "privacy")

    document = answer("show", "--svg", str(tmp_path / "graph.svg"))

    names = [stage["stage"] for stage in document["stages"]]
    assert names[:4] == ["ingest", "deduplicate", "bots", "privacy"]
    assert all(f'  {name}["{name}' in document["mermaid"] for name in names)
    assert "no consent" in document["mermaid"]
    assert "no consent</text>" in (tmp_path / "graph.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", "--until", "polish"), "PIPE-001"),
        (("run", "--bypass", "ingest_kinds"), "CFG-004"),
        (("run", "--as-of", "yesterday"), "CFG-004"),
        (("run", "--config", "none.yaml"), "CFG-002"),
        (("resume",), "PIPE-001"),
        (("status", "p-9"), "PIPE-001"),
    ],
)
def test_what_cannot_be_is_named(world: Path, arguments: tuple[str, ...], code: str) -> None:
    with pytest.raises(SandboxError, match=code):
        answer(*arguments)
