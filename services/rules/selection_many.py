"""The slots of many slates at once: `selection.pick` for each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.rules.selection import Terms

Ints = NDArray[np.int64]
_CLOSED = np.float32(-np.inf)  # worth of a row that is taken or lost


@dataclass
class Picks:
    """rows, propensity, randomised: [b, slots], as `Picked` has them. whole: bool [b], False where there
    was not a row for every slot; what else is said of such a request means nothing.

    capped: by request (row, items its creator has) of rows that a full creator lost.
    """

    rows: Ints
    propensity: NDArray[np.float64]
    randomised: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    capped: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))


def pick_many(
    score: NDArray[np.float32], topics: NDArray[np.float32], creator: NDArray[np.int32], n: Ints,
    n_slots: int, terms: Terms, *, pinned: tuple[int, Ints] | None, chance: NDArray[np.float64],
) -> Picks:  # fmt: skip
    """Fill n_slots slots of every request.

    score: [b, m], descending; topics: [b, m, t]; creator: [b, m]; n: [b], rows that count, the first ones.
    pinned: the slot and by request the row that stands there, -1 for none. chance: [b, n_slots].
    """
    state, share, all_rows = _Open(score, creator, n, terms), terms.explore_share, np.arange(len(n))
    against = np.float32(1) - np.float32(terms.relevance_weight)
    closest = np.zeros(score.shape, np.float32)
    rows = np.zeros((len(n), n_slots), np.int64)
    propensity, randomised = np.ones(rows.shape), np.zeros(rows.shape, bool)
    slot_of_pin, pin = pinned if pinned is not None else (-1, np.full(len(n), -1))
    state.take(np.maximum(pin, 0), pin >= 0)
    for slot in range(n_slots):
        fixed = pin >= 0 if slot == slot_of_pin else np.zeros(len(n), bool)
        row = (state.worth - against * closest).argmax(1)
        state.whole &= fixed | (state.n > 0)
        count = np.maximum(state.n, 1)
        propensity[:, slot] = share / count + (1 - share)
        for request in np.flatnonzero((chance[:, slot] < share) & ~fixed & (state.n > 0)).tolist():
            place = min(int(float(chance[request, slot]) / share * int(count[request])), int(count[request]) - 1)  # fmt: skip
            chosen = state.nth(request, place)
            propensity[request, slot] = share / int(count[request]) + (1 - share) * (chosen == row[request])  # fmt: skip
            row[request], randomised[request, slot] = chosen, True
        state.take(row, ~fixed)
        if fixed.any():
            row[fixed], propensity[fixed, slot] = pin[fixed], 1.0
        rows[:, slot] = row
        if against > 0 and slot + 1 < n_slots:
            near = np.matmul(topics, topics[all_rows, row][:, :, None])[:, :, 0]
            np.maximum(closest, near, out=closest)
    return Picks(rows, propensity, randomised, state.whole, state.capped)


class _Open:
    """Which rows of each request may still be chosen; `worth` is -inf for the others."""

    def __init__(
        self, score: NDArray[np.float32], creator: NDArray[np.int32], n: Ints, terms: Terms
    ) -> None:
        there = np.arange(score.shape[1]) < n[:, None]
        self.worth = np.where(there, np.float32(terms.relevance_weight) * _unit(score, n), _CLOSED)
        self.creator, self.most, self.n = creator, terms.max_per_creator, n.copy()
        self.whole = np.ones(len(n), bool)
        self.capped: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._taken = np.zeros(
            (len(n), 0), creator.dtype
        )  # creators of what was taken, -1: nothing
        self._all = np.arange(len(n))

    def nth(self, request: int, i: int) -> int:
        return int(np.flatnonzero(self.worth[request] > _CLOSED)[i])

    def take(self, row: Ints, who: NDArray[np.bool_]) -> None:
        """One row of each request in `who`."""
        self.worth[self._all[who], row[who]] = _CLOSED
        self.n -= who
        whose = np.where(who, self.creator[self._all, row], -1)
        self._taken = np.concatenate([self._taken, whose[:, None]], axis=1)
        held = (self._taken == whose[:, None]).sum(1)
        full = np.flatnonzero(who & (held >= self.most))
        if not len(full):
            return
        lost = (self.creator[full] == whose[full][:, None]) & (self.worth[full] > _CLOSED)
        at, which = lost.nonzero()
        owner = full[at]
        self.worth[owner, which] = _CLOSED
        self.n -= np.bincount(owner, minlength=len(self.n))
        for request, r, count in zip(
            owner.tolist(), which.tolist(), held[owner].tolist(), strict=True
        ):
            self.capped[request].append((r, count))


def _unit(score: NDArray[np.float32], n: Ints) -> NDArray[np.float32]:
    """Scores, descending, scaled to 0..1; all 1 when they are equal. The first n of each row count."""
    last = score[np.arange(len(n)), np.maximum(n - 1, 0)][:, None]
    span = score[:, :1] - last
    return np.where(
        span > 0, (score - last) / np.where(span > 0, span, np.float32(1)), np.float32(1)
    )
