"""A world with a torn file is named as damaged by whoever reads it, and never read by halves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.worlds import world_dir
from sandbox.world import files
from sandbox.world.check import check
from sandbox.world.presets import PRESETS
from sandbox.world.summary import summarise

FEW = replace(PRESETS["tiny"], users=40, items=60, creators=8, days=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_HOME", str(home))
        patch.setitem(PRESETS, "tiny", FEW)
        files.ensure("tiny")
    return home / "worlds" / "tiny"


@pytest.mark.parametrize("damage", ["torn", "other", "empty", "gone"])
@pytest.mark.parametrize(
    "name", ["public/catalogue.npz", "public/impressions.parquet", "public/outcomes.parquet", "latent/truth.npz"]
)
def test_a_damaged_file_is_a_damaged_world(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: str
) -> None:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    shutil.copytree(whole, world_dir("mine"))
    file = world_dir("mine") / name
    raw = {"torn": file.read_bytes()[:200], "other": b"hello\n", "empty": b""}.get(damage)
    file.unlink()
    if raw is not None:
        file.write_bytes(raw)

    for read in (check, summarise):
        with pytest.raises(SandboxError) as caught:
            read("mine")
        assert caught.value.kind.code in ("WORLD-003", "CFG-002")
        assert "world" in caught.value.fix


def test_services_name_a_torn_catalogue(whole: Path, tmp_path: Path) -> None:
    torn = tmp_path / "catalogue.npz"
    torn.write_bytes((whole / "public" / "catalogue.npz").read_bytes()[:2000])

    with pytest.raises(SandboxError, match="WORLD-003"):
        Catalogue.load(torn)
