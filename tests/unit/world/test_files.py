from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.world import files
from sandbox.world.presets import PRESETS

FEW = replace(PRESETS["tiny"], users=40, items=60, creators=8, days=1)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    monkeypatch.setitem(PRESETS, "tiny", FEW)
    return tmp_path / "worlds"


def inode(name: str) -> int:
    return world_dir(name).stat().st_ino


def refusal(code: str, call: object) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.kind.code == code
    return caught.value


def test_a_preset_is_built_when_first_asked_for_and_kept() -> None:
    first = files.ensure("tiny")
    was = inode("tiny")

    assert files.ensure("tiny") == first
    assert inode("tiny") == was
    assert load_manifest("tiny").users == 40


def test_a_world_is_built_anew_when_what_it_is_made_from_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    files.ensure("tiny")

    monkeypatch.setitem(PRESETS, "tiny", replace(FEW, users=50))
    files.ensure("tiny")

    assert load_manifest("tiny").users == 50


def test_a_world_keeps_its_own_seed_when_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    files.build_world("mine", preset="tiny", seed=99)

    monkeypatch.setitem(PRESETS, "tiny", replace(FEW, users=50))
    files.ensure("mine")

    assert (load_manifest("mine").seed, load_manifest("mine").users) == (99, 50)


def test_an_imported_world_is_taken_as_it_is() -> None:
    files.build_world("real", preset="tiny")
    path = world_dir("real") / "world.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"source": "csv", "content_hash": "other"}))
    was = inode("real")

    files.ensure("real")

    assert inode("real") == was


def test_a_name_that_is_neither_there_nor_a_preset_is_refused() -> None:
    error = refusal("WORLD-001", lambda: files.ensure("nowhere"))

    assert error.seen == "nowhere"


def test_another_world_of_that_name_is_not_overwritten_unless_forced() -> None:
    files.build_world("mine", preset="tiny", seed=1)

    refusal("WORLD-004", lambda: files.build_world("mine", preset="tiny", seed=2))
    assert load_manifest("mine").seed == 1

    files.build_world("mine", preset="tiny", seed=2, force=True)
    assert load_manifest("mine").seed == 2


@pytest.mark.parametrize("name", ["../up", "", "A", "a/b", ".hidden", "x" * 65, "nul\0"])
def test_a_name_that_is_no_directory_of_ours_is_refused(name: str, home: Path) -> None:
    refusal("CFG-004", lambda: files.build_world(name, preset="tiny"))

    assert not list(home.parent.glob("**/world.json"))


def test_an_unknown_preset_is_refused_with_the_list() -> None:
    assert "laptop" in refusal("CFG-004", lambda: files.build_world("w", preset="huge")).expected
    assert "laptop" in refusal("CFG-004", lambda: files.build_world("w")).expected


@pytest.mark.parametrize("seed", [-1, 1 << 63])
def test_a_seed_that_no_file_can_hold_is_refused(seed: int) -> None:
    refusal("CFG-004", lambda: files.build_world("w", preset="tiny", seed=seed))


def test_a_build_that_breaks_leaves_the_old_world_and_nothing_else(home: Path) -> None:
    files.build_world("mine", preset="tiny", seed=1)

    def stop(_what: str, share: float | None) -> None:
        if share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.build_world("mine", preset="tiny", seed=2, force=True, progress=stop)

    assert load_manifest("mine").seed == 1
    assert sorted(p.name for p in home.iterdir() if p.is_dir()) == ["mine"]


def test_what_a_killed_build_left_is_swept_up(home: Path) -> None:
    (home / ".tiny.part" / "public").mkdir(parents=True)

    files.ensure("tiny")

    assert sorted(p.name for p in home.iterdir() if p.is_dir()) == ["tiny"]


def test_a_full_disk_is_said_in_so_many_words(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "build", full)

    refusal("RUN-005", lambda: files.ensure("tiny"))
    assert [p.name for p in home.iterdir() if p.is_dir()] == []


def test_the_list_leaves_out_what_cannot_be_read(home: Path) -> None:
    files.ensure("tiny")
    (home / "broken").mkdir()
    (home / "broken" / "world.json").write_text("{")

    assert [m.name for m in files.worlds()] == ["tiny"]


def test_everything_a_build_imports_counts_when_worlds_go_out_of_date() -> None:
    folder = Path(files.__file__).parent
    for module in files._SOURCES:
        used = re.findall(r"^from sandbox\.world\.(\w+) import", (folder / f"{module}.py").read_text(), re.M)
        assert set(used) <= set(files._SOURCES), f"{module}.py"
