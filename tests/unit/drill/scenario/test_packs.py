"""Packs of one's own are seen wherever the core pack is, and a broken file in them hides no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.base.paths import PACKS
from sandbox.cli.app import main
from sandbox.drill.responders import evaluate
from sandbox.drill.scenario import library
from tests.unit.drill.broken import changed, sound, text_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(PACKS, "")  # so that what a command adds is gone afterwards
    return tmp_path / "home"


def put(folder: Path, name: str, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text_of(changed(sound(), {"id": name, **changes})))
    return path


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return int(stop.value.code or 0), capsys.readouterr().out


def test_one_of_ones_own_is_listed_shown_named_and_evaluated(home, capsys):
    put(home / "scenarios", "my-own")

    listed = json.loads(ran(capsys, "drill", "list", "--json")[1])
    assert "my-own" in {row["name"] for row in listed}
    assert json.loads(ran(capsys, "drill", "show", "my-own", "--json")[1])["name"] == "my-own"
    assert ran(capsys, "scenario", "check", "my-own")[0] == 0
    assert "my-own" in {s.id for s in evaluate.scenarios_of(["all"])}
    assert library.named("my-own").id == "my-own"


def test_a_folder_named_on_the_command_line_is_seen_by_that_command(tmp_path, capsys):
    put(tmp_path / "pack", "from-afar")

    assert ran(capsys, "drill", "show", "from-afar")[0] == 2
    assert ran(capsys, "drill", "show", "from-afar", "--pack", str(tmp_path / "pack"))[0] == 0


def test_a_folder_that_is_not_there_is_refused(tmp_path, capsys):
    assert ran(capsys, "drill", "list", "--pack", str(tmp_path / "none"))[0] == 2


def test_a_broken_file_is_listed_as_refused_with_the_reason(home, capsys):
    put(home / "scenarios", "fine")
    put(home / "scenarios", "broken", stars=9)
    put(home / "scenarios" / "deep", "slow-home")  # a name of the core pack
    (home / "scenarios" / "other-name.yaml").write_text(text_of(changed(sound(), {"id": "misnamed"})))

    rows = json.loads(ran(capsys, "drill", "list", "--json")[1])
    refused = {row["name"]: row["refused"] for row in rows if "refused" in row}

    assert {"fine", "slow-home", "all-new"} <= {row["name"] for row in rows}
    assert set(refused) == {"broken", "slow-home", "other-name"}
    assert "stars" in refused["broken"]
    assert "used once" in refused["slow-home"]
    assert "broken.yaml is refused" in ran(capsys, "drill", "list")[1].replace("\n", "")


def test_the_core_pack_comes_before_one_of_the_same_name(home):
    put(home / "scenarios", "slow-home", stars=5)

    assert library.named("slow-home").stars == 1
