"""The slots of a slate, filled one by one: relevance against repetition, caps, pinned and random rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Terms:
    """relevance_weight: 0..1, at 1 the score alone decides. max_per_creator: items of one creator.
    explore_share: probability with which a slot is filled at random, 0..1."""

    relevance_weight: float = 1.0
    max_per_creator: int = 1 << 30
    explore_share: float = 0.0


@dataclass
class Picked:
    """Rows in display order with, aligned, the probability that the policy put that row there (given
    the slots above it) and whether the slot was random.

    capped: (row, items its creator has) of rows that a full creator lost. passed: row -> cosine to
    the nearest item chosen, of rows that were best by score when another one was taken.
    """

    rows: list[int] = field(default_factory=list)
    propensity: list[float] = field(default_factory=list)
    randomised: list[bool] = field(default_factory=list)
    capped: list[tuple[int, int]] = field(default_factory=list)
    passed: dict[int, float] = field(default_factory=dict)


def pick(
    score: NDArray[np.float32], topics: NDArray[np.float32], creator: NDArray[np.int32],
    n_slots: int, terms: Terms, *, pinned: tuple[int, int] | None, chance: NDArray[np.float64],
) -> Picked:  # fmt: skip
    """Fill at most n_slots slots from rows that are all allowed.

    score: [n], descending. topics: [n, t], unit rows (or 0). creator: [n]. pinned: (slot from 0, row)
    that stands there whatever the score. chance: [n_slots], uniform 0..1: below explore_share the
    slot is random, and the number's place below it chooses the row. Ties go to the lower row.
    Source: maximal marginal relevance, Carbonell and Goldstein, SIGIR 1998. O(n_slots n t).
    """
    n, weight, share = len(score), np.float32(terms.relevance_weight), terms.explore_share
    out, held = Picked(), dict[int, int]()
    against = np.float32(1) - weight
    worth = weight * _unit(score)  # -inf once a row is no longer open
    closest = np.zeros(n, np.float32)
    state = _Open(worth, creator, terms.max_per_creator, held, out)
    if pinned is not None:
        state.take(pinned[1])
    for slot in range(n_slots):
        if pinned is not None and slot == pinned[0]:
            row, probability, random = pinned[1], 1.0, False
            pinned = None
        elif state.n == 0:
            break
        else:
            best = int((worth - against * closest).argmax())
            if state.first() != best:
                out.passed.setdefault(state.top, float(closest[state.top]))
            lot = float(chance[slot])
            random = lot < share
            row = state.nth(min(int(lot / share * state.n), state.n - 1)) if random else best
            probability = share / state.n + (1 - share) * (row == best)
            state.take(row)
        out.rows.append(row)
        out.propensity.append(probability)
        out.randomised.append(random)
        if against > 0 and slot + 1 < n_slots:
            np.maximum(closest, topics @ topics[row], out=closest)
    if pinned is not None and len(out.rows) < n_slots:  # fewer rows than its slot: it comes last
        out.rows.append(pinned[1])
        out.propensity.append(1.0)
        out.randomised.append(False)
    return out


class _Open:
    """Which rows may still be chosen; `worth` is -inf for the others."""

    def __init__(
        self, worth: NDArray[np.float32], creator: NDArray[np.int32], most: int, held: dict[int, int], out: Picked
    ) -> None:
        self.worth, self.creator, self.most, self.held, self.out = worth, creator, most, held, out
        self.n, self.top = len(worth), 0

    def first(self) -> int:
        """The open row of greatest score."""
        while self.worth[self.top] == -np.inf:
            self.top += 1
        return self.top

    def nth(self, i: int) -> int:
        return int(np.flatnonzero(self.worth > -np.inf)[i])

    def take(self, row: int) -> None:
        self.worth[row] = -np.inf
        self.n -= 1
        whose = int(self.creator[row])
        count = self.held[whose] = self.held.get(whose, 0) + 1
        if count >= self.most:
            lost = ((self.creator == whose) & (self.worth > -np.inf)).nonzero()[0]
            if len(lost):
                self.worth[lost] = -np.inf
                self.n -= len(lost)
                self.out.capped += [(r, count) for r in lost.tolist()]


def _unit(score: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores, descending, scaled to 0..1; all 1 when they are equal."""
    span = score[0] - score[-1] if len(score) else np.float32(0)
    if not span > 0:
        return np.ones_like(score)
    return (score - score[-1]) / span
