"""Another index over the vectors of one that there is: an inverted file, which trades recall for speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from sandbox.base.artefacts import Artefact, find, pack_arrays, register
from sandbox.base.errors import SandboxError
from sandbox.base.streams import seed_of
from sandbox.pipeline.index import N_PROBES, dump, recall

LEAST_PER_LIST = 39  # vectors; with fewer, k-means finds no stable centres (faiss warns below that)


def inverted(vectors: np.ndarray, lists: int, nprobe: int, seed: int) -> faiss.IndexIVFFlat:
    """float32 [items, dim] in `lists` lists around k-means centres, `nprobe` of them searched.

    Source: Jegou, Douze and Schmid, "Product quantization for nearest neighbor search", PAMI 2011.
    """
    dim = vectors.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed_of(seed, "inverted-file") % 2**31
    vectors = np.ascontiguousarray(vectors, np.float32)
    index.train(vectors)
    index.nprobe = nprobe
    index.add(vectors)
    return index


def register_inverted(
    registries: Sequence[Path], of: str, version: str, target: Path, *, lists: int, nprobe: int
) -> Artefact:
    """The vectors of index `of` as an inverted file, registered as `version` in `target`.

    lists: at most what the number of vectors bears. Raises MODEL-001, MODEL-002, and CFG-001 when
    more lists are to be searched than there are.
    """
    origin = find(registries, "index", of)
    vectors = origin.arrays("vectors.safetensors")["vectors"]
    lists = max(1, min(lists, len(vectors) // LEAST_PER_LIST))
    if not 1 <= nprobe <= lists:
        raise SandboxError(
            "CFG-001",
            where=f"index {version}, nprobe",
            seen=nprobe,
            expected=f"1..{lists}, the lists",
            fix="search fewer lists",
        )
    like = origin.manifest
    built = inverted(vectors, lists, nprobe, like.seed)
    probes = vectors[np.linspace(0, len(vectors) - 1, min(N_PROBES, len(vectors))).astype(int)]
    manifest = like.model_copy(
        update={
            "version": version,
            "config": {**like.config, "nlist": lists, "nprobe": nprobe},
            "metrics": {"recall@50_vs_exact": recall(built, vectors, probes)},
        }
    )
    files = {"index.faiss": dump(built), "vectors.safetensors": pack_arrays({"vectors": vectors})}
    return register(target, manifest, files)
