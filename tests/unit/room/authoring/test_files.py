"""Files of one's own pack: written whole, by name, never over another's, and never outside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.scenario import library
from sandbox.room.authoring import files


def refused(ask, *args) -> SandboxError:
    with pytest.raises(SandboxError) as told:
        ask(*args)
    return told.value


def test_what_is_saved_is_read_again_and_seen_by_all_commands(place: Path):
    version = files.save("slow-mornings", "id: slow-mornings\n", None)
    again = files.save("slow-mornings", "id: slow-mornings\ntitle: é\n", version)

    found = files.source("slow-mornings")
    assert (found.text, found.version, found.pack, found.own) == ("id: slow-mornings\ntitle: é\n", again, "own", True)
    assert library.path_of("slow-mornings") == files.folder() / "slow-mornings.yaml"
    assert files.source("slow-home").pack == "core"
    assert not files.source("slow-home").own


def test_over_a_file_that_changed_meanwhile_nothing_is_written_and_both_versions_are_kept(place: Path):
    opened = files.save("slow-mornings", "id: slow-mornings\n", None)
    path = files.folder() / "slow-mornings.yaml"
    path.write_text("by hand\n")

    error = refused(files.save, "slow-mornings", "mine\n", opened)

    assert error.kind.code == "ROOM-007"
    assert path.read_text() == "by hand\n"
    [beside] = files.folder().glob("slow-mornings.yaml.kept-*")
    assert beside.read_text() == "mine\n"
    assert beside.name in error.fix
    assert list(files.places()).count("slow-mornings") == 1, "what lost is no scenario"
    assert files.save("slow-mornings", "mine\n", files.version_of("by hand\n")) == files.version_of("mine\n")


def test_a_new_one_is_refused_where_there_is_one_and_a_file_that_is_gone_is_said(place: Path):
    first = files.save("slow-mornings", "a\n", None)

    assert refused(files.save, "slow-mornings", "b\n", None).kind.code == "ROOM-007"
    assert files.save("slow-mornings", "a\n", None) == first, "the same once more changes nothing"
    (files.folder() / "slow-mornings.yaml").unlink()
    assert refused(files.save, "slow-mornings", "b\n", first).kind.code == "ROOM-007"


def test_of_versions_that_lost_only_the_last_few_are_kept(place: Path):
    files.save("slow-mornings", "there\n", None)
    for n in range(9):
        refused(files.save, "slow-mornings", f"mine {n}\n", "another")

    assert len(list(files.folder().glob("*.kept-*"))) == 5


def test_of_two_who_save_at_once_one_is_refused(place: Path):
    opened = files.save("slow-mornings", "there\n", None)

    def saves(text: str) -> str:
        try:
            return files.save("slow-mornings", text, opened)
        except SandboxError as error:
            return error.kind.code

    with ThreadPoolExecutor(8) as crowd:
        told = list(crowd.map(saves, [f"mine {n}\n" for n in range(8)]))

    assert told.count("ROOM-007") == 7
    assert files.source("slow-mornings").version in told


@pytest.mark.parametrize(
    "name", ["../x", "x/y", "/etc/passwd", "", "X", "a b", ".x", "x.yaml", "x\n", "é", "a" * 61, "-x", "x\0"]
)
def test_a_name_that_is_none_is_refused_before_anything_is_looked_at(name: str, place: Path):
    assert refused(files.save, name, "text", None).kind.code == "DRILL-002"
    assert refused(files.source, name).kind.code == "DRILL-002"
    assert not files.folder().exists()


def test_no_name_of_another_pack_is_taken(place: Path, monkeypatch):
    pack = place / "pack"
    pack.mkdir()
    (pack / "theirs.yaml").write_text("id: theirs\n")
    monkeypatch.setenv("SANDBOX_PACKS", str(pack))
    (files.folder() / "inner").mkdir(parents=True)
    (files.folder() / "inner/deeper.yaml").write_text("id: deeper\n")

    for name in ("slow-home", "theirs", "deeper"):
        error = refused(files.save, name, "mine\n", files.version_of(files.source(name).text))
        assert (error.kind.code, error.where) == ("ROOM-007", f"name {name}")
    assert files.source("theirs").pack == "pack"
    assert (pack / "theirs.yaml").read_text() == "id: theirs\n"


def test_a_link_out_of_the_pack_is_neither_read_nor_written_through(place: Path):
    secret = place / "secret.txt"
    secret.write_text("secret")
    files.folder().mkdir(parents=True)
    (files.folder() / "linked.yaml").symlink_to(secret)
    (files.folder() / "nowhere.yaml").symlink_to(place / "not-there")

    assert "link" in str(refused(files.source, "linked").seen)
    assert "secret" not in str(refused(files.save, "linked", "mine", None))
    files.save("nowhere", "mine", None)
    assert secret.read_text() == "secret"
    assert not (place / "not-there").exists()


def test_what_is_too_large_or_no_text_is_refused_without_reading_all_of_it(place: Path):
    files.folder().mkdir(parents=True)
    with (files.folder() / "huge.yaml").open("wb") as file:
        file.truncate(50 * 2**20)
    (files.folder() / "bytes.yaml").write_bytes(b"\xff\xfe\x00")

    assert "more than" in str(refused(files.source, "huge").seen)
    assert "no UTF-8" in str(refused(files.source, "bytes").seen)
    assert refused(files.save, "long", "x" * 100_001, None).seen == "100001 characters"
    assert refused(files.source, "nothing-there").kind.code == "DRILL-001"


def test_a_disk_that_takes_nothing_is_told(place: Path):
    files.folder().parent.mkdir(parents=True, exist_ok=True)
    files.folder().write_text("a file where the folder should be")

    assert refused(files.save, "slow-mornings", "text", None).kind.code == "RUN-005"
