"""The plain models that every learned one is measured against, on the same split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

Scorer = Callable[[np.ndarray], np.ndarray]  # rows of users -> float32 [rows, items]
EASE_ITEMS = 4000  # EASE inverts a dense matrix of the items: only so many, the most chosen ones


def popularity(matrix: sparse.csr_matrix) -> Scorer:
    """Every user gets the counts. matrix: users x items, 1 where chosen."""
    counts = np.asarray(matrix.sum(axis=0)).ravel().astype(np.float32)
    return lambda users: np.broadcast_to(counts, (len(users), len(counts)))


def itemknn(matrix: sparse.csr_matrix, *, k: int = 200, shrink: float = 20.0) -> Scorer:
    """An item's score: cosine similarities to those of its k nearest that the user has chosen, summed.

    shrink: added to the denominator. Source: Deshpande and Karypis, TOIS 2004.
    """
    n_items = matrix.shape[1]
    norm = np.sqrt(np.asarray(matrix.sum(axis=0)).ravel())
    transposed = matrix.T.tocsr()
    parts = []
    for start in range(0, n_items, 1024):
        common = (transposed[start : start + 1024] @ matrix).toarray()
        rows = np.arange(len(common))
        common[rows, start + rows] = 0.0
        near = common / (norm[start : start + 1024, None] * norm + shrink)
        if k < n_items:
            least = np.partition(near, n_items - k, axis=1)[:, n_items - k, None]
            near[near < np.maximum(least, 1e-12)] = 0.0
        parts.append(sparse.csr_matrix(near.astype(np.float32)))
    # Row i holds the k nearest of i as a candidate. With the neighbourhoods of the history's items
    # instead, popular items crowd in: recall@50 on ml-100k's validation part .40 instead of .52.
    similar = sparse.vstack(parts).T.tocsr()
    return lambda users: np.asarray((matrix[users] @ similar).todense(), np.float32)


def ease(matrix: sparse.csr_matrix, *, l2: float = 400.0) -> Scorer:
    """Linear item-item model in closed form, over the EASE_ITEMS most chosen items.

    Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
    """
    counts = np.asarray(matrix.sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-counts, kind="stable")[:EASE_ITEMS])
    dense = matrix[:, kept]
    gram = (dense.T @ dense).toarray().astype(np.float32)
    gram[np.diag_indices(len(kept))] += l2
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices(len(kept))] = 0.0

    def score(users: np.ndarray) -> np.ndarray:
        out = np.zeros((len(users), matrix.shape[1]), np.float32)
        out[:, kept] = dense[users] @ weights
        return out

    return score
