"""`sandbox room` without a server: what it lists, exports, ends and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.base.errors import SandboxError
from sandbox.base.progress import quiet
from sandbox.cli.app import app
from sandbox.cli.room import _taken_up
from sandbox.drill.play import standing
from sandbox.room import house
from sandbox.room.house import Deed
from sandbox.room.journal import RoomJournal
from sandbox.warroom import serve
from tests.unit.room.desk import Scene, made
from tests.unit.room.desk import scene as scene_in


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A room that its server left, in SANDBOX_HOME."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    first = scene_in(tmp_path)
    drill, place = first.desk.drill, house.root() / "ABCDEF"
    place.mkdir(parents=True)
    deed = Deed("ABCDEF", "small-drill", "virtual", drill.plan.drill, False)
    (place / "room.json").write_text(json.dumps(deed.__dict__))
    first.journal.path.rename(place / "journal.jsonl")
    journal = RoomJournal(place / "journal.jsonl")
    scene = Scene(made(journal, drill, first.desk, first.hands), first.desk, journal, first.hands)
    ann = scene.join("Ann <b>*bold*</b>", "commander")
    scene.do(ann, "chat", text="# not a heading\n<script>alert(1)</script> [x](javascript:1)")
    scene.do(ann, "act", action="restart service=stream")
    scene.do(ann, "report_field", field="notes", value="`rm`")
    scene.room.close()
    return scene


def test_a_room_that_was_left_is_listed_and_found_again(left: Scene):
    rows = json.loads(run("room", "list", "--json"))

    assert rows[0] | {"drill": ""} == {
        "code": "ABCDEF", "scenario": "small-drill", "backend": "virtual", "phase": "running", "title": "A small drill",
        "participants": 1, "score": None, "drill": "",
    }  # fmt: skip
    assert house.is_open(house.deed_of("abcdef"))


def test_an_export_has_everything_and_what_people_wrote_is_harmless_in_it(left: Scene, tmp_path: Path):
    document = json.loads(run("room", "export", "ABCDEF", "--json"))
    run("room", "export", "abcdef", "--format", "md", "--out", str(tmp_path / "room.md"))
    text = (tmp_path / "room.md").read_text()

    assert [event["seq"] for event in document["events"]] == list(range(1, 7))
    assert document["report"] == {"notes": "`rm`"}
    assert "restart service=stream" in text.replace("\\", "")
    assert "<script>" not in text
    assert "[x](" not in text
    assert "\n# not" not in text
    assert "`rm`" not in text


def test_a_room_that_nobody_serves_is_given_up(left: Scene):
    told = json.loads(run("room", "end", "ABCDEF", "--json"))

    assert told["phase"] == "over"
    assert standing.is_over(left.desk.drill)
    assert json.loads(run("room", "end", "ABCDEF", "--json"))["phase"] == "over", "ending twice is ending once"


def test_a_room_that_cannot_be_taken_up_keeps_nobody_from_opening_others(left: Scene):
    """Its drill is a live one, whose stack went with the machine."""
    deeds = house.deeds()

    assert _taken_up(deeds, False, quiet, True) == []
    with pytest.raises(SandboxError, match="DRILL-006"):
        _taken_up(deeds, True, quiet, True)
    assert left.journal.read()[-1].kind == "field_reported", "and stays as it is"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["export", "NOROOM"], "ROOM-001"),
        (["end", "../.."], "ROOM-001"),
        (["start", "no-such-scenario"], "DRILL-001"),
        (["start"], "CFG-004"),
        (["start", "slow-home", "--host", "0.0.0.0"], "CFG-004"),
        (["start", "slow-home", "--secret-file", "/nowhere"], "CFG-002"),
        (["start", "slow-home", "--backend", "live", "--rooms", "2"], "CFG-004"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(arguments, code, tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    extra = ["--port", "0"] if arguments[0] == "start" else []

    with pytest.raises(SandboxError, match=code):
        CliRunner().invoke(app, ["room", *arguments, *extra], catch_exceptions=False)

    assert house.deeds() == []


def test_a_short_secret_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    (tmp_path / "secret").write_text("hunter2\n")

    with pytest.raises(SandboxError, match="16 or more"):
        CliRunner().invoke(
            app, ["room", "start", "slow-home", "--secret-file", str(tmp_path / "secret")], catch_exceptions=False
        )


def test_a_port_that_is_taken_is_said(tmp_path, monkeypatch):
    first = serve.bind("127.0.0.1", 0, False)
    port = first.listening.getsockname()[1]

    with pytest.raises(SandboxError, match="RUN-006"):
        serve.bind("127.0.0.1", port, False)
    first.listening.close()


def test_one_server_has_the_rooms_and_its_secrets_outlive_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    with serve.sole(), pytest.raises(SandboxError, match="RUN-002"), serve.sole():
        pass
    made_, again = serve.secrets_kept(None), serve.secrets_kept(None)
    chosen = serve.secrets_kept("a secret of my own")

    assert made_ == again
    assert chosen.signing == made_.signing
    assert house.instructor_secret() == chosen.instructor == "a secret of my own"
    assert {path.stat().st_mode & 0o077 for path in house.root().iterdir()} == {0}
