"""Which models saw a person's events.

Told by the best evidence there is of a version: a list of its users (an artefact's users.safetensors, or the
pipeline's model_users); else the period of the history that it was trained on, in which the person has rows. The
second may say yes of somebody whom a sample left out, and never no of somebody who was in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base import artefacts
from sandbox.base.artefacts import Artefact
from sandbox.privacy import files

USERS_FILE = "users.safetensors"
_TIME = {"impressions": "ts", "outcomes": "event_ts"}


def registries(world: Path, run_dirs: Iterable[Path] = ()) -> list[Path]:
    """The world's, its cache of releases', and those of runs."""
    cached = sorted(path for path in (world / "registry-cache").glob("*") if path.is_dir())
    return [world / "registry", *cached, *(run / "registry" for run in run_dirs)]


def that_saw(world: Path, users: np.ndarray, run_dirs: Iterable[Path] = ()) -> list[str]:
    """Versions, by name. users: int64. Must be asked before their rows go."""
    spans = spans_of(world, users)
    there = [made for place in registries(world, run_dirs) for made in artefacts.versions(place)]
    listed, found = _listed(world, users)
    found |= {m.manifest.version for m in there if m.manifest.version not in listed and _saw(m, users, spans)}
    # What is made from a version that saw somebody saw them, too: an index from its encoder.
    grown = True
    while grown:
        heirs = {m.manifest.version for m in there if found.intersection(m.manifest.parents.values())} - found
        found, grown = found | heirs, bool(heirs)
    return sorted(found)


def spans_of(world: Path, users: np.ndarray) -> np.ndarray:
    """float64 [n], ascending: times of their rows in the history."""
    times = []
    for table, column in _TIME.items():
        path = world / "public" / f"{table}.parquet"
        if not path.exists():
            continue
        try:
            mine, ts = files.columns(path, "user_id", column)
        except (OSError, ValueError, KeyError, pa.ArrowException):
            continue  # damaged, which whoever erases from it says
        times.append(ts[np.isin(mine, users)])
    return np.sort(np.concatenate(times)) if times else np.empty(0)


def _saw(made: Artefact, users: np.ndarray, times: np.ndarray) -> bool:
    path = made.path / USERS_FILE
    if path.exists():
        return bool(np.isin(files.arrays_of(path)["user_id"], users).any())
    data = made.manifest.data
    return bool(data.rows and np.searchsorted(times, data.to_ts, "right") > np.searchsorted(times, data.from_ts))


def _listed(world: Path, users: np.ndarray) -> tuple[set[str], set[str]]:
    """Of the pipeline's table model_users: versions whose users it lists, and those of them that saw these."""
    known: set[str] = set()
    found: set[str] = set()
    for path in sorted((world / "pipeline" / "lake" / "model_users").glob("*.parquet")):
        table = pq.read_table(path, columns=["model_version", "user_id"])
        versions = np.asarray(table["model_version"].to_pylist(), dtype=object)
        known |= set(versions.tolist())
        found |= set(versions[np.isin(table["user_id"].to_numpy(), users)].tolist())
    return known, found
