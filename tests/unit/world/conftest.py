from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.base.worlds import WorldManifest
from sandbox.world.behaviour import Behaviour
from sandbox.world.build import build
from sandbox.world.presets import PRESETS, Preset


def quiet(_what: str, share: float | None) -> None:
    assert share is not None
    assert 0.0 <= share <= 1.0


def build_at(folder: Path, preset: Preset) -> WorldManifest:
    return build(folder, preset, name="tiny", content_hash="of a test", built="2026-01-01T00:00:00", progress=quiet)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[WorldManifest, Path]:
    """The tiny world, built once for all tests that only read it."""
    folder = tmp_path_factory.mktemp("world") / "tiny"
    return build_at(folder, PRESETS["tiny"]), folder


@pytest.fixture(scope="session")
def behaviour(tiny: tuple[WorldManifest, Path]) -> Behaviour:
    return Behaviour.load(tiny[1])
