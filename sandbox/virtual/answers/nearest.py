"""The index's answers to many queries, sooner: a product finds who may be among the nearest, and the index
itself says what those few are worth.

The product adds up in another order than the index, so its scores differ in the last bits. By how much at
the most is known: whoever is that close to the limit is asked about too.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from services.retrieval.index import Index

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_FOLDS = 16  # items whose best score stands for all of them, where a lower limit is looked for
_HUGE = 1e30  # scores beyond it may overflow on the way


class Nearest:
    """`Index.search_many` of one index."""

    def __init__(self, index: Index) -> None:
        self.index = index
        n, dim = index.vectors.shape
        # An inverted file looks at few items anyway.
        self._groups = 0 if index.lists else n // _FOLDS
        self._columns = torch.from_numpy(index.vectors.T)
        longest = np.linalg.norm(index.vectors.astype(np.float64), axis=1).max(initial=0.0)
        # A sum of dim products in any order is off by dim x 2^-24 x both lengths at the most (Higham,
        # Accuracy and Stability, 3.1). Here two sums differ, once for the limit and once for an item below.
        self._longest, self._slack = longest, 4.5 * dim * 2.0**-24 * longest

    def __call__(self, queries: Floats, n: int) -> tuple[Floats, Ints]:
        """Scores and ids [q, n], as `search_many` gives them. queries: float32 [q, dim]."""
        length = np.linalg.norm(queries.astype(np.float64), axis=1)
        if not 0 < n <= self._groups or not (length * self._longest < _HUGE).all():
            return self.index.search_many(queries, n)
        with torch.inference_mode():
            about = torch.mm(torch.from_numpy(queries), self._columns).numpy()
        ids = self._possible(about, n, length * self._slack)
        scores = np.empty(ids.shape, np.float32)
        inside: Any = self.index.faiss_index  # a flat one, as the groups say
        inside.compute_distance_subset(
            len(ids), faiss.swig_ptr(queries), ids.shape[1], faiss.swig_ptr(scores), faiss.swig_ptr(ids)
        )
        order = np.argsort(-scores, axis=1, kind="stable")[:, : n + 1]
        scores, ids = np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
        alike = np.flatnonzero((scores[:, 1:] == scores[:, :-1]).any(axis=1))
        scores, ids = np.ascontiguousarray(scores[:, :n]), np.ascontiguousarray(ids[:, :n])
        if len(alike):  # which of them comes first, and which is left out, is the index's to say
            scores[alike], ids[alike] = self.index.search_rows(queries[alike], n)
        return scores, self.index.items_of(ids)

    def searching(self, nprobe: int | None) -> Nearest:
        """As `Index.searching`."""
        index = self.index.searching(nprobe)
        return self if index is self.index else Nearest(index)

    def _possible(self, about: Floats, n: int, slack: NDArray[np.float64]) -> Ints:
        """int64 [q, most]: at least the n best of each row of scores, however wrong by `slack`; -1 pads."""
        groups = self._groups
        best = about[:, : groups * _FOLDS].reshape(len(about), _FOLDS, groups).max(axis=1)
        floor = np.partition(best, groups - n, axis=1)[:, groups - n]  # n items reach it
        there = np.flatnonzero(about >= (floor - slack)[:, None].astype(np.float32))
        row, item = np.divmod(there, about.shape[1])
        counts = np.bincount(row, minlength=len(about))
        ids = np.full((len(about), int(counts.max(initial=0))), -1, np.int64)
        ids[row, np.arange(len(row)) - (np.cumsum(counts) - counts)[row]] = item
        return ids
