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
    share, against = terms.explore_share, np.float32(1) - np.float32(terms.relevance_weight)
    state = _Open(score, creator, n, n_slots, terms)
    rows, open_then = np.zeros((len(n), n_slots), np.int64), np.ones((n_slots, len(n)), np.int64)
    propensity, randomised = np.ones(rows.shape), np.zeros(rows.shape, bool)
    slot_of_pin, pin = pinned if pinned is not None else (-1, np.full(len(n), -1))
    fixed, of_all = pin >= 0, topics.reshape(-1, topics.shape[2])
    if fixed.any():
        state.take(np.maximum(pin, 0), fixed)
    lucky = chance < share
    chances = [np.flatnonzero(lucky[:, slot]).tolist() for slot in range(n_slots)]
    closest, gain = np.zeros(score.shape, np.float32), np.empty(score.shape, np.float32)
    for slot in range(n_slots):
        np.subtract(state.worth, np.multiply(closest, against, out=gain), out=gain)
        row = gain.argmax(1)
        open_then[slot] = state.n
        stays = fixed if slot == slot_of_pin else None
        for request in chances[slot]:
            count = int(state.n[request])
            if count > 0 and (stays is None or not stays[request]):
                lot, best = float(chance[request, slot]), row[request]
                row[request] = state.nth(request, min(int(lot / share * count), count - 1))
                propensity[request, slot] = share / count + (1 - share) * (row[request] == best)
                randomised[request, slot] = True
        if stays is None:
            state.take(row)
        else:
            state.take(row, ~stays)
            row[stays], open_then[slot, stays] = pin[stays], -1
        rows[:, slot] = row
        if against > 0 and slot + 1 < n_slots:
            near = np.matmul(topics, of_all[state.begin + row][:, :, None])[:, :, 0]
            np.maximum(closest, near, out=closest)
    there = open_then.T
    usual = share / np.maximum(there, 1) + (1 - share)
    propensity = np.where(randomised, propensity, np.where(there < 0, 1.0, usual))
    return Picks(rows, propensity, randomised, (there != 0).all(1), state.capped)


class _Open:
    """Which rows of each request may still be chosen; `worth` is -inf for the others. begin: int64 [b], of
    each request in arrays that are laid end to end. What is said of a request that has run out of rows
    means nothing any more."""

    def __init__(
        self, score: NDArray[np.float32], creator: NDArray[np.int32], n: Ints, n_slots: int, terms: Terms
    ) -> None:  # fmt: skip
        there = np.arange(score.shape[1]) < n[:, None]
        self.worth = np.where(there, np.float32(terms.relevance_weight) * _unit(score, n), _CLOSED)
        self.creator, self.most, self.n = creator, terms.max_per_creator, n.copy()
        self.begin = np.arange(len(n)) * score.shape[1]
        self.capped: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._taken = np.full((len(n), n_slots + 1), -1, creator.dtype)  # creators, -1: none
        self._n_taken = 0

    def nth(self, request: int, i: int) -> int:
        return int(np.flatnonzero(self.worth[request] > _CLOSED)[i])

    def take(self, row: Ints, who: NDArray[np.bool_] | None = None) -> None:
        """One row of each request, or of each in `who`."""
        at = self.begin + row
        whose = self.creator.reshape(-1)[at]
        if who is None:
            self.worth.reshape(-1)[at] = _CLOSED
            self.n -= 1
        else:
            self.worth.reshape(-1)[at[who]] = _CLOSED
            self.n -= who
            whose = np.where(who, whose, -1)
        self._taken[:, self._n_taken] = whose
        self._n_taken += 1
        held = (self._taken == whose[:, None]).sum(1)
        full = held >= self.most
        if who is not None:
            full &= who
        if full.any():
            self._cap(np.flatnonzero(full), whose, held)

    def _cap(self, full: Ints, whose: NDArray[np.int32], held: Ints) -> None:
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
