"""The rules for many requests at once: the slates that `core.apply` gives each of them.

Rows of every array are requests, columns their candidates. What is rare (a slate that lacks items, a
candidate twice, a score that is no number) is left to `core.apply`, and so is a policy with a rule that is
not written here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.compiled import laid
from sandbox.base.streams import uniforms
from services.rules import kernels
from services.rules.core import Decision, Dropped, Floats, Ints, Slate, Visit, apply, freshness_factor
from services.rules.policy import ADULT_YEARS, Policy
from services.rules.selection_many import Picks, pick_many

_CODES = {
    "seen": kernels.SEEN,
    "blocked_creator": kernels.BLOCKED,
    "region_rights": kernels.REGION,
    "maturity": kernels.MATURITY,
    "sensitivity": kernels.SENSITIVITY,
}
_HELD = {  # by this module and selection_many; of duplicates, requests that have any are left to the core
    "duplicate", "freshness", "creator_cap", "diversity", "sponsored", "exploration",
}  # fmt: skip
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
        partial(apply, policy, visit, ids, worth, shown, slate_size, at)
        for visit, ids, worth, shown, at in zip(visits, item_id, score, seen, now.tolist(), strict=True)
    ]
    if not policy.rules.keys() <= held():  # a rule that is only written for one request
        return [again() for again in alone]
    grid = _Grid(policy, visits, item_id, score, now)
    if not grid.items.size:
        return [again() for again in alone]
    dropped = [list[Dropped]() for _ in visits]
    grid.hard(seen, dropped)
    picks, order = grid.picked(slate_size)
    usable = grid.usable & picks.whole
    rows = order[np.arange(len(visits))[:, None], picks.rows]
    if len(picks.capped):
        owner, which, counts = picks.capped.T
        ends = np.bincount(owner, minlength=len(visits)).cumsum().tolist()
        _share(dropped, "creator_cap", policy, order[owner, which], counts, ends)
    figures = (rows.tolist(), picks.propensity.tolist(), picks.randomised.tolist(), dropped, alone)
    return [LateSlate(*of) if fine else of[-1]() for fine, *of in zip(usable.tolist(), *figures, strict=True)]


def held() -> set[str]:
    """The rules that are written for many requests at once."""
    return _HELD | _CODES.keys()


def _share(
    dropped: list[list[Dropped]], rule: str, policy: Policy, rows: Ints, factors: NDArray[Any], ends: list[int]
) -> None:
    """Gives each request what a rule dropped of it: up to its end in rows and factors."""
    seq, begin = policy.rules[rule].seq, 0
    for of, end in zip(dropped, ends, strict=True):
        if end > begin:
            of.append(Dropped(rule, seq, rows[begin:end], factors[begin:end]))
        begin = end


class _Tables:
    """A policy and its catalogue as the kernels take them. rules: the hard ones but for duplicates, with
    which a request is not usable; compared: for each of them what its limit is compared with, by item."""

    def __init__(self, policy: Policy) -> None:
        catalogue = policy.catalogue
        self.rules = [rule.id for rule in policy.hard if rule.id in _CODES]
        self.codes = np.array([_CODES[rule] for rule in self.rules], np.int64)
        self.creator = laid(catalogue.item_creator, np.int32)
        self.sponsored = laid(catalogue.item_sponsored, np.bool_)
        years = np.array(policy.band_years, np.int64)
        minors = (years < ADULT_YEARS).astype(np.int64)
        self.of_rules = (
            laid(catalogue.blocked_indptr, np.int64), laid(catalogue.blocked_creator, np.int32),
            laid(catalogue.user_age_band, np.int8), years, minors, self.creator,
            laid(catalogue.item_regions, np.uint16), laid(catalogue.item_maturity, np.int8),
            policy.sensitive, float(policy.label_delay_s), policy.published_ts,
        )  # fmt: skip
        self.compared = {
            "seen": np.ones(catalogue.n_items, bool),
            "blocked_creator": catalogue.item_creator,
            "region_rights": np.zeros(catalogue.n_items, bool),
            "maturity": catalogue.item_maturity,
            "sensitivity": catalogue.item_sens_score,
        }


@lru_cache(maxsize=4)
def _tables(policy: Policy) -> _Tables:
    return _Tables(policy)


class _Grid:
    """Candidates side by side. items: int64 [b, n], 0 beyond the end; there: bool, candidates not dropped;
    usable: bool [b], False for what `core.apply` has to do."""

    def __init__(
        self, policy: Policy, visits: Sequence[Visit], item_id: Sequence[Ints], score: Sequence[Floats],
        now: NDArray[np.float64],
    ) -> None:  # fmt: skip
        self.policy, self.visits, self.now, self.tables = policy, visits, now, _tables(policy)
        sizes = np.array([len(of) for of in item_id], np.int64)
        # A multiple of 8: the last rows of a product may be added up in another order than the others.
        width = -(-int(sizes.max(initial=0)) // 8) * 8
        self.items, self.score, self.there, self.usable = kernels.grid(
            np.concatenate([np.zeros(0, np.int64), *item_id]),
            np.concatenate([np.zeros(0, np.float32), *score]),
            sizes,
            width,
            policy.catalogue.n_items,
        )

    def hard(self, seen: Sequence[Ints], dropped: list[list[Dropped]]) -> None:
        """Takes away what the hard rules refuse; by request what each of them dropped."""
        tables = self.tables
        visits = np.array([[visit.user, visit.region] for visit in self.visits], np.int64)
        user, region = np.ascontiguousarray(visits.T)
        columns, items, counts = kernels.refuse(
            tables.codes, self.items, self.there, user, region, self.now,
            np.concatenate([np.zeros(0, np.int64), *seen]), np.array([len(of) for of in seen], np.int64),
            *tables.of_rules,
        )  # fmt: skip
        begin = 0
        for rule, ends in zip(tables.rules, counts.cumsum(1).tolist(), strict=True):
            end = begin + ends[-1]
            if end > begin:
                factors = tables.compared[rule][items[begin:end]]
                _share(dropped, rule, self.policy, columns[begin:end], factors, ends)
            begin = end

    def picked(self, slate_size: int) -> tuple[Picks, Ints]:
        """What fills the slots, and the candidates in the order in which it counted them."""
        policy, tables = self.policy, self.tables
        worth = self.score.astype(np.float64)
        rule = policy.rules.get("freshness")
        if rule is not None:
            factor = freshness_factor(policy.published_ts[self.items], self.now[:, None], rule.params)
            worth = worth + np.abs(worth) * (factor - 1)
        order = np.argsort(np.where(self.there, -worth, np.inf), axis=1, kind="stable")
        items, score, creators, n, sponsored = kernels.line_up(
            order, self.items, worth, self.there, tables.creator, tables.sponsored
        )
        params, pinned = policy.params("sponsored"), None
        if params is not None and params["position"] <= slate_size:
            pinned = int(params["position"]) - 1, sponsored
        picks = pick_many(
            score, policy.topics.take(items, axis=0), creators, n, slate_size, policy.terms,
            pinned=pinned, chance=self._chance(slate_size),
        )  # fmt: skip
        return picks, order

    def _chance(self, slate_size: int) -> NDArray[np.float64]:
        """Uniform [b, slots]: the numbers that each request draws alone."""
        if not self.policy.terms.explore_share > 0:
            return np.ones((len(self.visits), slate_size))
        places = [[v.user & _WORD, v.session & _WORD, v.depth & _WORD] for v in self.visits]
        place = np.array(places, np.uint64).T[:, :, None]
        return uniforms(self.policy.seed, "rules/exploration", *place, np.arange(slate_size))
