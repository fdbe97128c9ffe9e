"""Popular items by region: the source that needs no history, and the slate of last resort."""

from __future__ import annotations

import numpy as np

from sandbox.base.catalogue import REGIONS, Catalogue
from sandbox.base.clock import DAY_S
from sandbox.pipeline.events import Log

N_POPULAR = 200
_HALF_LIFE_S = 3 * DAY_S


def by_region(
    log: Log, catalogue: Catalogue, ts: float, *, half_life_s: float = _HALF_LIFE_S
) -> tuple[np.ndarray, np.ndarray]:
    """(int32 [regions, 200] ids, -1 where there are no more; float32 [regions, 200] scores).

    Score: clicks before `ts` by users of the region, halved every half_life_s, plus a tenth of
    everybody's, so that a small region has a full list. Only items with rights in the region.
    """
    clicks = log.clicks_before(ts)
    weight = 0.5 ** ((ts - clicks.ts) / half_life_s)
    n = catalogue.n_items
    everywhere = np.bincount(clicks.item, weights=weight, minlength=n)
    ids = np.full((len(REGIONS), N_POPULAR), -1, np.int32)
    scores = np.zeros((len(REGIONS), N_POPULAR), np.float32)
    for region in range(len(REGIONS)):
        here = catalogue.user_region[clicks.user] == region
        count = np.bincount(clicks.item[here], weights=weight[here], minlength=n) + 0.1 * everywhere
        allowed = (catalogue.item_regions.astype(np.int64) >> region) & 1 == 1
        ranked = np.where(allowed, count, -1.0)
        best = np.argsort(-ranked, kind="stable")[:N_POPULAR]
        ids[region, : len(best)] = np.where(ranked[best] >= 0, best, -1)
        scores[region, : len(best)] = np.maximum(ranked[best], 0.0)
    return ids, scores
