"""The vector index as retrieval holds it: a version's faiss index, its vectors, and who made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from sandbox.base.artefacts import Artefact
from sandbox.base.errors import SandboxError
from services.retrieval.core import Found

IDS_FILE = "ids.safetensors"
N_PROBED = 50  # depth of the recall probes, the column's name says it
faiss.omp_set_num_threads(1)  # one query at a time: a team of threads costs more than it saves


@dataclass(frozen=True)
class Index:
    """version: of the artefact. encoder_version: two-tower version that made the vectors.
    lists, lists_searched: of an inverted file; 0 for a flat index, which searches everything. ids: int64 [n], the
    item of each row; None: the row's number is the item's."""

    version: str
    encoder_version: str
    faiss_index: faiss.Index
    vectors: NDArray[np.float32]
    lists: int
    lists_searched: int
    ids: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, artefact: Artefact) -> Index:
        """From the registry's files. Raises MODEL-002 when they are not an index and its vectors."""
        manifest = artefact.manifest
        blob = np.frombuffer(artefact.read("index.faiss"), np.uint8)
        vectors = artefact.arrays("vectors.safetensors")["vectors"]
        try:
            index = faiss.deserialize_index(blob)
        except RuntimeError as error:
            raise _damaged(artefact, str(error)[:200]) from error
        if (index.ntotal, index.d) != vectors.shape:
            raise _damaged(artefact, f"{index.ntotal} x {index.d} beside {vectors.shape}")
        lists, searched = getattr(index, "nlist", 0), getattr(index, "nprobe", 0)
        ids = artefact.arrays(IDS_FILE)["ids"] if IDS_FILE in manifest.files else None
        if ids is not None and ids.shape != (index.ntotal,):
            raise _damaged(artefact, f"{len(ids)} ids of {index.ntotal} rows")
        return cls(manifest.version, manifest.parents.get("two_tower", ""), index, vectors, lists, searched, ids)

    def searching(self, nprobe: int | None) -> Index:
        """The same index, searching so many lists of an inverted file; None: as many as it was built for."""
        if not self.lists:
            return self
        wanted = int(getattr(self.faiss_index, "nprobe", 1)) if nprobe is None else nprobe
        return replace(self, lists_searched=min(wanted, self.lists))

    def search(self, query: NDArray[np.float32], n: int) -> Found:
        """The n items of greatest inner product with `query`, float32 [dim]. Raises MODEL-003."""
        if query.shape != (self.faiss_index.d,):
            raise SandboxError(
                "MODEL-003",
                where=f"index {self.version}",
                seen=f"query of {query.shape}",
                expected=f"({self.faiss_index.d},)",
                fix="use the user tower that the index was made with",
            )
        scores, ids = self.search_many(query[None, :], n)
        there = ids[0] >= 0
        return Found(ids[0][there], scores[0][there])

    def nearest(self, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        """int64 [q, N_PROBED]: what the index finds."""
        return self.search_many(queries, N_PROBED)[1]

    def search_many(self, queries: NDArray[np.float32], n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and ids [q, n], id -1 where fewer were found."""
        scores, rows = self.search_rows(queries, n)
        return scores, self.items_of(rows)

    def items_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The items of rows, -1 for -1."""
        if self.ids is None:
            return rows
        found: NDArray[np.int64] = np.where(rows >= 0, self.ids[rows], -1)
        return found

    def search_rows(self, queries: NDArray[np.float32], n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The same with rows in place of ids."""
        how: Any = None
        if self.lists:
            how = faiss.SearchParametersIVF()
            how.nprobe = self.lists_searched
        found: tuple[NDArray[np.float32], NDArray[np.int64]] = self.faiss_index.search(queries, n, params=how)
        return found

    def nearest_exactly(self, queries: NDArray[np.float32]) -> NDArray[np.int64]:
        """int64 [q, N_PROBED]: what there is to find, by comparing with every vector."""
        scores = queries @ self.vectors.T
        return self.items_of(np.argpartition(-scores, min(N_PROBED, scores.shape[1] - 1), axis=1)[:, :N_PROBED])


def _damaged(artefact: Artefact, seen: str) -> SandboxError:
    return SandboxError(
        "MODEL-002",
        where=str(artefact.path),
        seen=seen,
        expected="a faiss index of its vectors",
        fix="build it anew: sandbox model build --force",
    )
