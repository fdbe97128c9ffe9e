"""The registry gives what was registered, or says what is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.errors import SandboxError


def manifest(version: str = "rk-1") -> Manifest:
    data = Lineage(from_ts=0.0, to_ts=1.0, rows=2, digest="d")
    return Manifest(artifact="ranker", version=version, created_ts=1.0, code_hash="c", seed=1, data=data)


def test_what_comes_back_is_what_was_registered(tmp_path: Path) -> None:
    blob = artefacts.pack_arrays({"a": np.arange(3)})

    artefact = artefacts.register(tmp_path, manifest(), {"a.safetensors": blob})

    assert artefact.arrays("a.safetensors")["a"].tolist() == [0, 1, 2]
    assert [a.manifest.version for a in artefacts.versions(tmp_path)] == ["rk-1"]


@pytest.mark.parametrize("damage", [b"", b"something else"])
def test_a_file_that_differs_from_its_hash_is_refused(tmp_path: Path, damage: bytes) -> None:
    artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})
    (tmp_path / "ranker/rk-1/a.bin").write_bytes(damage)

    with pytest.raises(SandboxError) as caught:
        artefacts.load(tmp_path, "ranker", "rk-1")

    assert caught.value.kind.code == "MODEL-002"
    assert "a.bin" in caught.value.where


def test_a_manifest_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})
    (tmp_path / "ranker/rk-1/manifest.json").write_text("{")

    with pytest.raises(SandboxError) as caught:
        artefacts.load(tmp_path, "ranker", "rk-1")

    assert caught.value.kind.code == "MODEL-002"
    assert artefacts.versions(tmp_path) == []


@pytest.mark.parametrize("version", ["rk-9", "../../etc", "", "a/b"])
def test_a_version_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, version: str) -> None:
    artefacts.register(tmp_path, manifest(), {})

    with pytest.raises(SandboxError) as caught:
        artefacts.load(tmp_path, "ranker", version)

    assert caught.value.kind.code == "MODEL-001"


def test_a_failed_registration_leaves_the_version_that_was_there(tmp_path: Path) -> None:
    artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})

    with pytest.raises(TypeError):
        artefacts.register(tmp_path, manifest(), {"a.bin": None})  # type: ignore[dict-item]

    assert artefacts.load(tmp_path, "ranker", "rk-1").read("a.bin") == b"whole"
    assert [p.name for p in (tmp_path / "ranker").iterdir()] == ["rk-1"]


def test_whoever_serves_need_not_import_torch() -> None:
    code = "import sys, sandbox.base.artefacts, services.ranking.core; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
