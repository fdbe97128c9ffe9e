"""The rules for many requests at once: the slates that `core.apply` gives each of them.

Rows of every array are requests, columns their candidates. What is rare (a slate that lacks items, a
candidate twice, a score that is no number) is left to `core.apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.streams import uniforms
from services.rules.core import (
    Decision,
    Dropped,
    Floats,
    Ints,
    Mask,
    Slate,
    Visit,
    apply,
    freshness_factor,
)
from services.rules.document import Checked
from services.rules.policy import Policy
from services.rules.selection_many import Picks, pick_many

_WORD = (1 << 64) - 1  # a place's numbers count as their lowest 64 bits


class LateSlate(Slate):
    """A slate whose decisions are made when somebody asks for them, which few do."""

    def __init__(
        self, rows: list[int], propensity: list[float], randomised: list[bool], dropped: list[Dropped],
        again: Callable[[], Slate],
    ) -> None:  # fmt: skip
        self.rows, self.propensity, self.randomised = rows, propensity, randomised
        self.dropped, self._again = dropped, again

    def __getattr__(self, name: str) -> Any:
        if name != "decisions":
            raise AttributeError(name)
        self.decisions: list[Decision] = self._again().decisions
        return self.decisions


def apply_many(
    policy: Policy, visits: Sequence[Visit], item_id: Sequence[Ints], score: Sequence[Floats],
    seen: Sequence[Ints], slate_size: int, now: NDArray[np.float64],
) -> list[Slate]:  # fmt: skip
    """`core.apply` for each visit. item_id, score, seen: arrays as there, one of each for a visit; now: [b]."""
    alone = [
        partial(apply, policy, visit, ids, worth, shown, slate_size, float(at))
        for visit, ids, worth, shown, at in zip(visits, item_id, score, seen, now, strict=True)
    ]
    grid = _Grid(policy, visits, item_id, score, now)
    if not grid.items.size:
        return [again() for again in alone]
    dropped = grid.hard(seen)
    picks, order = grid.picked(slate_size)
    usable = grid.usable & picks.whole
    rows = np.take_along_axis(order, picks.rows, 1)
    for request, capped in picks.capped.items():
        if usable[request]:
            which, counts = np.array(capped).T
            seq = policy.rules["creator_cap"].seq
            dropped[request].append(Dropped("creator_cap", seq, order[request, which], counts))
    figures = (rows.tolist(), picks.propensity.tolist(), picks.randomised.tolist(), dropped, alone)
    return [
        LateSlate(*of) if fine else of[-1]()
        for fine, *of in zip(usable.tolist(), *figures, strict=True)
    ]


class _Grid:
    """Candidates side by side. items: int64 [b, n], 0 beyond the end; there: bool, candidates not dropped;
    usable: bool [b], False for what `core.apply` has to do."""

    def __init__(
        self, policy: Policy, visits: Sequence[Visit], item_id: Sequence[Ints], score: Sequence[Floats],
        now: NDArray[np.float64],
    ) -> None:  # fmt: skip
        self.policy, self.visits, self.now = policy, visits, now
        sizes = np.array([len(of) for of in item_id], np.int64)
        # A multiple of 8: the last rows of a product may be added up in another order than the others.
        self.there: Mask = np.arange(-(-int(sizes.max(initial=0)) // 8) * 8) < sizes[:, None]
        self.items = np.zeros(self.there.shape, np.int64)
        self.score = np.zeros(self.there.shape, np.float32)
        n_items = policy.catalogue.n_items
        if self.items.size:
            self.items[self.there], self.score[self.there] = np.concatenate(item_id), np.concatenate(score)  # fmt: skip
        known = (self.items >= 0) & (self.items < n_items)
        self.items[~known] = 0
        self.keys = self.items + np.arange(len(sizes))[:, None] * n_items
        self.usable = (sizes > 0) & known.all(1) & np.isfinite(self.score).all(1) & self._distinct()
        self.user = np.array([visit.user for visit in visits], np.int64)
        self.region = np.array([visit.region for visit in visits], np.int64)

    def _distinct(self) -> Mask:
        keys = self.keys[self.there]
        last = np.zeros(len(self.keys) * self.policy.catalogue.n_items, np.int32)
        last[keys] = np.arange(len(keys))
        again = np.zeros(self.there.shape, bool)
        again[self.there] = last[keys] != np.arange(len(keys))
        return np.asarray(~again.any(1))

    def hard(self, seen: Sequence[Ints]) -> list[list[Dropped]]:
        """Takes away what the hard rules refuse; by request what each of them dropped."""
        dropped = [list[Dropped]() for _ in self.visits]
        for rule in self.policy.hard:
            refused, value = self._refused(rule, seen)
            if refused is None:
                continue
            gone = np.logical_and(refused, self.there)
            self.there[gone] = False
            owner, rows = gone.nonzero()
            factors = value[owner, rows]
            ends = np.bincount(owner, minlength=len(dropped)).cumsum().tolist()
            begin = 0
            for of, end in zip(dropped, ends, strict=True):
                if end > begin:
                    of.append(Dropped(rule.id, rule.seq, rows[begin:end], factors[begin:end]))
                begin = end
        return dropped

    def _refused(self, rule: Checked, seen: Sequence[Ints]) -> tuple[Mask | None, NDArray[Any]]:
        """bool [b, n], True where the rule refuses (None: nowhere), and the value it compared."""
        policy, catalogue, items = self.policy, self.policy.catalogue, self.items
        if rule.id == "duplicate":
            return None, items  # a request with one is not usable
        if rule.id == "seen":
            shown = self._seen(seen)
            return shown, np.ones_like(shown)
        if rule.id == "blocked_creator":
            return self._blocked()
        if rule.id == "region_rights":
            allowed = ((catalogue.item_regions[items] >> self.region[:, None]) & 1).astype(bool)
            return ~allowed, allowed
        if rule.id == "maturity":
            least = catalogue.item_maturity[items]
            years = np.array([policy.age_years(visit.user) for visit in self.visits])
            return least > years[:, None], least
        assert rule.id == "sensitivity", f"{rule.id} is no hard rule"
        minor = np.array([policy.is_minor(visit.user) for visit in self.visits], np.int64)
        refused = policy.sensitive[minor[:, None], items]
        if policy.label_delay_s:
            refused &= policy.published_ts[items] + policy.label_delay_s <= self.now[:, None]
        return refused, catalogue.item_sens_score[items]

    def _seen(self, seen: Sequence[Ints]) -> Mask:
        n_items = self.policy.catalogue.n_items
        marked = np.zeros(len(self.keys) * n_items, bool)
        owner = np.repeat(np.arange(len(seen)), [len(of) for of in seen])
        shown = np.concatenate([np.zeros(0, np.int64), *seen])
        known = (shown >= 0) & (shown < n_items)
        marked[(owner * n_items + shown)[known]] = True
        out: Mask = marked[self.keys]
        return out

    def _blocked(self) -> tuple[Mask | None, NDArray[Any]]:
        catalogue = self.policy.catalogue
        known = (self.user >= 0) & (self.user < catalogue.n_users)
        user = np.where(known, self.user, 0)
        blocks = known & (catalogue.blocked_indptr[user + 1] > catalogue.blocked_indptr[user])
        if not blocks.any():
            return None, self.items
        creators = catalogue.item_creator[self.items]
        refused = np.zeros(creators.shape, bool)
        for row in np.flatnonzero(blocks):
            refused[row] = np.isin(creators[row], catalogue.blocked(int(user[row])))
        return refused, creators

    def picked(self, slate_size: int) -> tuple[Picks, Ints]:
        """What fills the slots, and the candidates in the order in which it counted them."""
        policy, there = self.policy, self.there
        worth: NDArray[np.floating[Any]] = self.score
        rule = policy.rules.get("freshness")
        if rule is not None:
            factor = freshness_factor(
                policy.published_ts[self.items], self.now[:, None], rule.params
            )
            worth = worth + np.abs(worth) * (factor - 1)
        order = np.argsort(np.where(there, -worth, np.inf), axis=1, kind="stable")
        items = np.take_along_axis(self.items, order, 1)
        worth = np.take_along_axis(worth, order, 1).astype(np.float32)
        picks = pick_many(
            worth, policy.topics[items], policy.catalogue.item_creator[items], there.sum(1), slate_size,
            policy.terms, pinned=self._sponsored(items, slate_size), chance=self._chance(slate_size),
        )  # fmt: skip
        return picks, order

    def _sponsored(self, items: Ints, slate_size: int) -> tuple[int, Ints] | None:
        """The slot from 0, and by request the row that stands there, -1 for none."""
        params = self.policy.params("sponsored")
        if params is None or params["position"] > slate_size:
            return None
        mine = self.policy.catalogue.item_sponsored[items]
        mine &= np.arange(items.shape[1]) < self.there.sum(1)[:, None]
        return int(params["position"]) - 1, np.where(mine.any(1), mine.argmax(1), -1)

    def _chance(self, slate_size: int) -> NDArray[np.float64]:
        """Uniform [b, slots]: the numbers that each request draws alone."""
        if not self.policy.terms.explore_share > 0:
            return np.ones((len(self.visits), slate_size))
        places = [[v.user & _WORD, v.session & _WORD, v.depth & _WORD] for v in self.visits]
        place = np.array(places, np.uint64).T[:, :, None]
        return uniforms(self.policy.seed, "rules/exploration", *place, np.arange(slate_size))
