from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.base.errors import SandboxError
from sandbox.base.worlds import WorldManifest
from sandbox.cli.world import app

World = tuple[WorldManifest, Path]
Cli = Callable[..., object]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: World) -> Callable[..., tuple[int, str]]:
    """The command line, in a home where the tiny world is already there."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    (tmp_path / "worlds").mkdir()
    (tmp_path / "worlds" / "tiny").symlink_to(tiny[1])

    def call(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(words))
        if isinstance(result.exception, SandboxError):
            raise result.exception
        return result.exit_code, result.stdout

    return call


def test_list_names_every_world(cli: Callable[..., tuple[int, str]], tiny: World) -> None:
    code, text = cli("list", "--json")

    (row,) = json.loads(text)
    assert code == 0
    assert {"name", "users", "items", "events", "built"} <= row.keys()
    assert (row["name"], row["users"], row["events"]) == ("tiny", 300, tiny[0].events)


def test_check_answers_no_with_exit_code_1(
    cli: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = cli("check", "tiny", "--json")
    assert code == 0
    assert {key for row in json.loads(text) for key in row} == {"check", "value", "low", "high", "ok"}

    monkeypatch.setattr("sandbox.world.check.TINY", {"ctr_uniform": (0.5, 0.6)})
    code, text = cli("check", "tiny", "--json")
    assert code == 1
    (row,) = json.loads(text)
    assert (row["check"], row["ok"]) == ("ctr_uniform", False)


def test_show_draws_what_it_says_in_json(cli: Callable[..., tuple[int, str]]) -> None:
    code, text = cli("show", "tiny", "--json")
    summary = json.loads(text)

    assert code == 0
    assert sum(summary["clicks_by_item_tenth"].values()) == pytest.approx(1.0)
    assert summary["ctr_by_position"]["01"] > summary["ctr_by_position"]["10"]
    assert len(summary["ctr_by_hour"]) == 24
    assert "█" in cli("show", "tiny")[1]


def test_a_world_that_is_not_there_is_named(cli: Callable[..., tuple[int, str]]) -> None:
    for words in (("check", "atlantis"), ("show", "atlantis")):
        with pytest.raises(SandboxError) as caught:
            cli(*words)
        assert (caught.value.kind.code, caught.value.seen) == ("WORLD-001", "atlantis")
