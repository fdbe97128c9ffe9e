"""A preset's world comes from its seed and from who was erased: built anew, it is the same, without them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.base import tombstones
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.privacy import people
from sandbox.privacy.erase import erase
from sandbox.world import files
from sandbox.world.arrivals import arrivals
from sandbox.world.latent import Latent
from sandbox.world.presets import PRESETS

USER = 7


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], users=40, items=60, creators=8, days=1))
    return tmp_path


def content(world: Path) -> dict[str, object]:
    """Everything in it but when it was built."""
    held: dict[str, object] = {"manifest": json.loads((world / "world.json").read_text()) | {"built": ""}}
    for path in sorted(world.rglob("*.parquet")):
        held[path.name] = repr(pq.read_table(path).to_pydict())  # in which NaN is NaN
    for path in (world / "public" / "catalogue.npz", world / "latent" / "truth.npz"):
        with np.load(path) as arrays:
            held[path.name] = {name: arrays[name].tobytes() for name in arrays.files}
    return held


def test_a_world_built_anew_is_the_world_that_was_erased_from(home):
    world = files.ensure("tiny")
    plain = load_manifest("tiny").content_hash
    assert erase(world, people.found(world, [str(USER)]), now=0.0).complete
    erased = content(world)
    kept = world.stat().st_ino
    assert files.ensure("tiny").stat().st_ino == kept, "it is up to date: nothing is built"
    files.build_world("tiny", force=True)
    assert world_dir("tiny").stat().st_ino != kept
    assert content(world) == erased
    assert load_manifest("tiny").content_hash != plain
    assert tombstones.load(world).of(USER) is not None
    assert not files.ensure("tiny").with_name(".tiny.part").exists()


def test_nobody_comes_from_an_erased_place(home):
    world = files.ensure("tiny")

    def visits() -> np.ndarray:
        return arrivals(Latent.load(world), 0.0, 86_400.0, 0.05, 1, shaped=True)[1]

    busiest = int(np.bincount(visits()).argmax())
    erase(world, people.found(world, [str(busiest)]), now=0.0)
    assert len(visits())
    assert busiest not in visits()


def test_a_world_of_that_name_without_its_tombstones_has_everybody(home):
    world = files.ensure("tiny")
    erase(world, people.found(world, [str(USER)]), now=0.0)
    shutil.rmtree(world)
    assert USER in pq.read_table(files.ensure("tiny") / "public" / "users.parquet")["user_id"].to_pylist()
