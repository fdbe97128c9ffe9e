"""The tables that are fixed when a run begins are made once in a process, and anew when the world is another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.virtual.processes.fixed import fixed_tables


@pytest.fixture
def world(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world_dir("tiny"), tmp_path / "world"))


def test_a_second_run_on_a_world_gets_the_same_bytes(world: Path) -> None:
    first, again = (fixed_tables(world, load_manifest("tiny")) for _ in range(2))
    assert first is again
    assert first["items"].rows == load_manifest("tiny").items


def test_another_table_under_the_same_name_is_read_anew(world: Path) -> None:
    before, path = fixed_tables(world, load_manifest("tiny")), world / "public" / "creators.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    after = fixed_tables(world, load_manifest("tiny"))
    assert after["creators"].rows == before["creators"].rows - 1


def test_a_file_that_was_damaged_meanwhile_is_found_out(world: Path) -> None:
    fixed_tables(world, load_manifest("tiny"))
    path = next(world.glob("registry/features/*/features.safetensors"))
    at = path.stat()
    path.write_bytes(b"\0" * at.st_size)
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns + 1))  # whatever the clock of the disk
    with pytest.raises(SandboxError, match="MODEL-002"):
        fixed_tables(world, load_manifest("tiny"))
