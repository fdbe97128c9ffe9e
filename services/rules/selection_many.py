"""The slots of many slates at once: `selection.pick` for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.rules import kernels
from services.rules.selection import Terms

Ints = NDArray[np.int64]


@dataclass
class Picks:
    """rows, propensity, randomised: [b, slots], as `Picked` has them. whole: bool [b], False where there
    was not a row for every slot; what else is said of such a request means nothing.

    capped: int64 [c, 3], request after request: request, row and the items its creator has, of rows that
    a full creator lost.
    """

    rows: Ints
    propensity: NDArray[np.float64]
    randomised: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    capped: Ints


def pick_many(
    score: NDArray[np.float32], topics: NDArray[np.float32], creator: NDArray[np.int32], n: Ints,
    n_slots: int, terms: Terms, *, pinned: tuple[int, Ints] | None, chance: NDArray[np.float64],
) -> Picks:  # fmt: skip
    """Fill n_slots slots of every request.

    score: [b, m], descending; topics: [b, m, t]; creator: [b, m]; n: [b], rows that count, the first ones.
    pinned: the slot and by request the row that stands there, -1 for none. chance: [b, n_slots].
    """
    n = n.copy()
    against = np.float32(1) - np.float32(terms.relevance_weight)
    worth = kernels.opened(score, n, np.float32(terms.relevance_weight))
    held = np.full((len(n), n_slots + 1), -1, np.int32)
    capped, n_capped = np.empty((score.size, 3), np.int64), 0
    nobody = np.full(len(n), -1)
    slot_of_pin, pin = pinned if pinned is not None else (-1, nobody)
    for row in np.flatnonzero(pin >= 0).tolist():
        n_capped = kernels.take(row, int(pin[row]), 0, worth, creator, n, held, terms.max_per_creator, capped, n_capped)
    above = np.zeros((len(n), topics.shape[2], 1), np.float32)
    near, closest = np.zeros((*score.shape, 1), np.float32), np.zeros(score.shape, np.float32)
    rows, propensity = np.zeros((len(n), n_slots), np.int64), np.ones((len(n), n_slots))
    randomised, whole = np.zeros(rows.shape, bool), np.ones(len(n), bool)
    for slot in range(n_slots):
        if against > 0 and slot:
            # The product stays numpy's: `selection.pick` has its bits, and a loop adds up in another order.
            np.matmul(topics, above, out=near)
        n_capped = kernels.fill(
            slot, pin if slot == slot_of_pin else nobody, terms.explore_share, chance, against, topics,
            above, near, closest, worth, creator, n, held, terms.max_per_creator, capped, n_capped, rows,
            propensity, randomised, whole,
        )  # fmt: skip
    capped = capped[:n_capped]
    return Picks(rows, propensity, randomised, whole, capped[capped[:, 0].argsort(kind="stable")])
