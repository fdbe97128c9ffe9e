"""The retrieval index: item vectors of one two-tower version, searched by inner product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from sandbox.base.artefacts import Artefact, Manifest, find, pack_arrays, register
from sandbox.base.streams import seed_of
from services.model.core import encode_items, load_two_tower

FLAT_BELOW = 50_000  # items; exact search of so many 64-wide vectors takes about 1 ms
_NPROBE = 16
N_PROBES = 200  # vectors searched with themselves to measure recall


@dataclass(frozen=True)
class IndexRows:
    """What an index is filled with. ids: int64 [n], the item of each row; vectors: float32 [n, dim]."""

    ids: np.ndarray
    vectors: np.ndarray

    def take(self, kept: np.ndarray) -> IndexRows:
        """Those rows of them: bool or int64 [m]."""
        return IndexRows(self.ids[kept], np.ascontiguousarray(self.vectors[kept]))


def build(vectors: np.ndarray, *, seed: int) -> faiss.Index:
    """A faiss index over float32 [items, dim]; ids are rows. Flat below FLAT_BELOW items, else IVF."""
    n, dim = vectors.shape
    if n <= FLAT_BELOW:
        index: faiss.Index = faiss.IndexFlatIP(dim)
    else:
        n_lists = int(4 * np.sqrt(n))
        lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, n_lists, faiss.METRIC_INNER_PRODUCT)
        lists.cp.seed = seed_of(seed, "index") % 2**31
        lists.train(vectors)
        lists.nprobe = max(_NPROBE, n_lists // 16)
        index = lists
    index.add(np.ascontiguousarray(vectors, np.float32))
    return index


def dump(index: faiss.Index) -> bytes:
    """The index as bytes for a file of the registry."""
    return faiss.serialize_index(index).tobytes()


def artefact(
    vectors: np.ndarray, *, encoder_version: str, version: str, like: Manifest, ids: np.ndarray | None = None
) -> tuple[Manifest, dict[str, bytes]]:
    """Manifest and files of the index over a two-tower version's item vectors.

    like: the manifest that gives seed, lineage, code and time: the two-tower's own. ids: int64 [n], the item of each
    row; None: the row's number is the item's.
    """
    built = build(vectors, seed=like.seed)
    probes = vectors[np.linspace(0, len(vectors) - 1, min(N_PROBES, len(vectors))).astype(int)]
    config = {
        "encoder_version": encoder_version, "metric": "ip", "ntotal": len(vectors),
        "nlist": int(getattr(built, "nlist", 0)), "nprobe": int(getattr(built, "nprobe", 0)),
        "dim": vectors.shape[1], "key": like.config.get("key", ""),
    }  # fmt: skip
    manifest = Manifest(
        artifact="index", version=version, created_ts=like.created_ts, code_hash=like.code_hash,
        seed=like.seed, data=like.data, parents={"two_tower": encoder_version}, config=config,
        metrics={"recall@50_vs_exact": recall(built, vectors, probes)},
    )  # fmt: skip
    files = {"index.faiss": dump(built), "vectors.safetensors": pack_arrays({"vectors": vectors})}
    if ids is not None and not np.array_equal(ids, np.arange(len(ids))):
        files["ids.safetensors"] = pack_arrays({"ids": ids.astype(np.int64)})
    return manifest, files


def _all_rows(rows: IndexRows) -> IndexRows:
    return rows


def rebuild(
    registries: Sequence[Path], encoder_version: str, version: str, target: Path,
    filled: Callable[[IndexRows], IndexRows] = _all_rows,
) -> Artefact:  # fmt: skip
    """A fresh index of a registered two-tower version, registered as `version` in `target`.

    filled: what becomes of its rows on their way into it. Raises MODEL-001, MODEL-002.
    """
    towers = find(registries, "two_tower", encoder_version)
    model = load_two_tower(towers.read("model.safetensors"), towers.manifest.config)
    vectors = encode_items(model)
    rows = filled(IndexRows(np.arange(len(vectors)), vectors))
    manifest, files = artefact(
        rows.vectors, encoder_version=encoder_version, version=version, like=towers.manifest, ids=rows.ids
    )
    return register(target, manifest, files)


def load(blob: bytes) -> faiss.Index:
    """The index of `dump`. Only for bytes whose hash was checked: the registry's."""
    return faiss.deserialize_index(np.frombuffer(blob, np.uint8))


def recall(index: faiss.Index, vectors: np.ndarray, queries: np.ndarray, k: int = 50) -> float:
    """Share of the exact k nearest that the index finds, 0..1."""
    k = min(k, len(vectors))
    exact = np.argpartition(-(queries @ vectors.T), k - 1, axis=1)[:, :k]
    found = index.search(np.ascontiguousarray(queries, np.float32), k)[1]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(exact, found, strict=True)]
    return float(np.mean(shared) / k) if shared else 1.0
