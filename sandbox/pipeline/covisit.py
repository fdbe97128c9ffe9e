"""Co-visitation: items clicked by the same users within a day, the retrieval source beside the towers."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sandbox.base.clock import DAY_S
from sandbox.pipeline.events import Log

N_NEIGHBOURS = 50
_DISCOUNT = 10.0  # added to the popularities below the fraction: few common clicks prove little
_ROWS = 1024


def neighbours(log: Log, n_items: int, *, whole_user: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(int32 [items, 50] ids, -1 where there are no more; float32 [items, 50] scores, descending).

    Score: common visits over the root of both popularities. A visit is a user's day, or, with
    `whole_user` (logs whose times say little), the user.
    Source: cosine item neighbourhoods, Deshpande and Karypis, TOIS 2004.
    """
    clicks = log.take(log.clicked)
    if whole_user:
        visits = clicks.user.astype(np.int64)
    else:
        day = (clicks.ts // DAY_S).astype(np.int64)
        visits = clicks.user.astype(np.int64) * 100_000 + (day - day.min(initial=0))
    _, visit = np.unique(visits, return_inverse=True)
    shape = (int(visit.max(initial=-1)) + 1, n_items)
    matrix = sparse.csr_matrix((np.ones(len(clicks), np.float32), (visit, clicks.item)), shape)
    matrix.data[:] = 1.0  # an item clicked twice in one visit counts once
    popularity = np.asarray(matrix.sum(axis=0)).ravel()
    transposed = matrix.T.tocsr()
    ids = np.full((n_items, N_NEIGHBOURS), -1, np.int32)
    scores = np.zeros((n_items, N_NEIGHBOURS), np.float32)
    k = min(N_NEIGHBOURS, n_items)
    for start in range(0, n_items, _ROWS):
        common = (transposed[start : start + _ROWS] @ matrix).toarray()
        rows = np.arange(len(common))
        common[rows, start + rows] = 0.0
        scale = np.sqrt((popularity[start : start + len(common), None] + _DISCOUNT) * (popularity + _DISCOUNT))
        affinity = common / scale
        best = np.sort(np.argpartition(-affinity, k - 1, axis=1)[:, :k], axis=1)
        value = np.take_along_axis(affinity, best, 1)
        ranked = np.argsort(-value, axis=1, kind="stable")  # ties: the smaller id first
        best, value = np.take_along_axis(best, ranked, 1), np.take_along_axis(value, ranked, 1)
        ids[start : start + len(common), :k] = np.where(value > 0, best, -1)
        scores[start : start + len(common), :k] = value
    return ids, scores
