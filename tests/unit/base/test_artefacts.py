"""The registry gives what was registered, or says what is wrong with it."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
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


def test_the_same_bytes_again_are_fine_and_write_nothing(tmp_path: Path) -> None:
    first = artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})
    written = (first.path / "a.bin").stat().st_mtime_ns

    again = artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})

    assert again.digest == first.digest
    assert (first.path / "a.bin").stat().st_mtime_ns == written


def test_the_same_bytes_again_mend_a_file_that_was_damaged(tmp_path: Path) -> None:
    first = artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})
    (first.path / "a.bin").write_bytes(b"wh")

    assert artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"}).read("a.bin") == b"whole"


@pytest.mark.parametrize("how", ["bytes", "manifest", "copy"])
def test_other_bytes_under_a_name_that_is_taken_are_refused_and_change_nothing(tmp_path: Path, how: str) -> None:
    artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})
    other = artefacts.register(tmp_path / "elsewhere", manifest(), {"a.bin": b"other"})

    changed = manifest().model_copy(update={"seed": 2}) if how == "manifest" else manifest()
    with pytest.raises(SandboxError) as caught:
        artefacts.copy(other, tmp_path) if how == "copy" else artefacts.register(
            tmp_path, changed, {"a.bin": b"other" if how == "bytes" else b"whole"}
        )

    assert caught.value.kind.code == "MODEL-005"
    assert artefacts.load(tmp_path, "ranker", "rk-1").read("a.bin") == b"whole"
    assert [p.name for p in (tmp_path / "ranker").iterdir()] == ["rk-1"]


def test_what_is_made_anew_under_one_name_takes_its_place_in_one_step(tmp_path: Path) -> None:
    """A reader that never stops looking finds the one or the other, whole, and never nothing."""
    artefacts.register(tmp_path, manifest(), {"a.bin": b"0"})
    seen, stop = set(), threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.add(artefacts.load(tmp_path, "ranker", "rk-1").manifest.files["a.bin"])

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(look)
        made = [artefacts.register(tmp_path, manifest(), {"a.bin": b"%d" % n}, supersede=True) for n in range(30)]
        stop.set()
        reader.result()  # raises what a reader met

    assert seen <= {artefact.manifest.files["a.bin"] for artefact in made}
    assert [p.name for p in (tmp_path / "ranker").iterdir()] == ["rk-1"]


def test_half_a_version_is_named_with_the_way_out_and_can_be_got_rid_of(tmp_path: Path) -> None:
    (tmp_path / "ranker/rk-1").mkdir(parents=True)
    (tmp_path / "ranker/rk-1/model.safetensors").write_bytes(b"half")

    with pytest.raises(SandboxError) as caught:
        artefacts.load(tmp_path, "ranker", "rk-1")
    with pytest.raises(SandboxError):
        artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})

    assert caught.value.kind.code == "MODEL-002"
    assert "sandbox model discard rk-1" in caught.value.fix
    assert [error.kind.code for error in artefacts.damaged(tmp_path)] == ["MODEL-002"]
    assert artefacts.discard(tmp_path, "ranker", "rk-1")
    assert artefacts.damaged(tmp_path) == []
    assert artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"}).read("a.bin") == b"whole"
    assert not artefacts.discard(tmp_path, "ranker", "rk-2")


def test_a_writer_that_is_killed_leaves_no_version_and_what_it_leaves_is_swept(tmp_path: Path) -> None:
    code = f"""
import os, pathlib
from sandbox.base import artefacts
from tests.unit.base.test_artefacts import manifest
artefacts._to_disk = lambda path: os._exit(9)  # at its first file, before the rename
artefacts.register(pathlib.Path({str(tmp_path)!r}), manifest(), {{"a.bin": b"whole"}})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9

    assert artefacts.versions(tmp_path) == []
    assert artefacts.damaged(tmp_path) == []
    assert artefacts.sweep(tmp_path) == 1
    assert list((tmp_path / "ranker").iterdir()) == []


def test_a_metric_that_is_no_number_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    diverged = manifest().model_copy(update={"metrics": {"loss": float("nan")}})

    with pytest.raises(SandboxError) as caught:
        artefacts.register(tmp_path, diverged, {"a.bin": b"whole"})

    assert (caught.value.kind.code, caught.value.seen) == ("CFG-003", "no number: loss")
    assert not (tmp_path / "ranker").exists()


def test_a_failed_registration_leaves_the_version_that_was_there(tmp_path: Path) -> None:
    artefacts.register(tmp_path, manifest(), {"a.bin": b"whole"})

    with pytest.raises(TypeError):
        artefacts.register(tmp_path, manifest(), {"a.bin": None}, supersede=True)  # type: ignore[dict-item]

    assert artefacts.load(tmp_path, "ranker", "rk-1").read("a.bin") == b"whole"
    assert [p.name for p in (tmp_path / "ranker").iterdir()] == ["rk-1"]


def test_whoever_serves_need_not_import_torch() -> None:
    code = "import sys, sandbox.base.artefacts, services.ranking.core; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
