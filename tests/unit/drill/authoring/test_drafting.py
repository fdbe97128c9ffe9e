"""A new scenario is one that passes the check, or it is not written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faults.catalogue import CATALOGUE
from sandbox.cli.app import main
from sandbox.drill.authoring import drafting
from sandbox.drill.scenario import library


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def new(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    with pytest.raises(SystemExit) as stop:
        main(["scenario", "new", *words, "--json"])
    told = capsys.readouterr()
    return int(stop.value.code or 0), json.loads(told.out or told.err)


def test_it_is_written_checked_and_can_be_played(home, capsys):
    code, document = new(
        capsys, "my-morning", "--fault", "session-stream-lag", "--title", "It: a 'slow' #morning",
        "--stars", "5", "--world", "tiny", "--seed", "77",
    )  # fmt: skip
    made = library.named("my-morning")

    assert code == 0
    assert document["ok"]
    assert document["file"] == str(home / "scenarios" / "my-morning.yaml")
    assert (made.title, made.stars, made.world, made.seed) == ("It: a 'slow' #morning", 5, "tiny", 77)
    assert {step.fault.name for step in made.timeline if step.fault} >= {"session-stream-lag"}


def test_there_is_one_to_start_from_for_every_fault():
    assert all(drafting.source_of(name).exists() for name in CATALOGUE)


def test_a_copy_keeps_everything_but_its_head(capsys):
    new(capsys, "another", "--from", "all-new")
    made, origin = library.named("another"), library.named("all-new")

    assert made.model_copy(update={"id": "all-new"}) == origin


@pytest.mark.parametrize(
    "words",
    [
        ("My Morning", "--from", "slow-home"),
        ("slow-home", "--from", "slow-home"),
        ("mine", "--from", "slow-hme"),
        ("mine", "--fault", "slow"),
        ("mine", "--from", "slow-home", "--minutes", "1"),
        ("mine", "--from", "slow-home", "--world", "moon"),
        ("mine", "--from", "slow-home", "--file", "other.yaml"),
        ("mine",),
    ],
)
def test_what_would_not_pass_is_refused_and_not_written(home, capsys, words):
    code, document = new(capsys, *words)

    assert code == 2
    assert document["fix"]
    assert not list(home.rglob("*.yaml"))
