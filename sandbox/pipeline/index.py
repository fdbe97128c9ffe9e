"""The retrieval index: item vectors of one two-tower version, searched by inner product."""

from __future__ import annotations

import faiss
import numpy as np

from sandbox.base.streams import seed_of

FLAT_BELOW = 50_000  # items; exact search of so many 64-wide vectors takes about 1 ms
_NPROBE = 16


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


def load(blob: bytes) -> faiss.Index:
    """The index of `dump`. Only for bytes whose hash was checked: the registry's."""
    return faiss.deserialize_index(np.frombuffer(blob, np.uint8))


def recall(index: faiss.Index, vectors: np.ndarray, queries: np.ndarray, k: int = 50) -> float:
    """Share of the exact k nearest that the index finds, 0..1."""
    exact = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]
    found = index.search(np.ascontiguousarray(queries, np.float32), k)[1]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(exact, found, strict=True)]
    return float(np.mean(shared) / min(k, len(vectors))) if shared else 1.0
