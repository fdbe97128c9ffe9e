"""Business rules: from scored candidates to a slate, with every decision and who took it.

Hard rules drop rows and hold everywhere, also for random and sponsored slots. Soft rules change the
order. What each rule does stands in rules.yaml, its parameters in document.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms
from services.rules.document import Checked
from services.rules.policy import Policy
from services.rules.selection import Picked, pick

_NOTED = 1.01  # a boost below 1 % is no decision worth a row

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Decision(NamedTuple):
    """row: of the candidates. seq: order in which the rule ran, from 1. action: drop, demote, boost,
    pin or insert. factor: on the score, or the value compared with the limit."""

    row: int
    rule: str
    seq: int
    action: str
    factor: float


@dataclass(frozen=True)
class Visit:
    """Who asks, from where (code of the region), and the place that keys random slots."""

    user: int
    region: int
    session: int = 0
    depth: int = 0


class Dropped(NamedTuple):
    """What one rule dropped. rows: int64 [m]. factor: [m], the value compared with the limit."""

    rule: str
    seq: int
    rows: Ints
    factor: NDArray[Any]

    def decisions(self) -> list[Decision]:
        return [
            Decision(row, self.rule, self.seq, "drop", float(factor))
            for row, factor in zip(self.rows.tolist(), self.factor.tolist(), strict=True)
        ]


@dataclass
class Slate:
    """rows: candidates in display order; propensity and randomised: aligned with them. dropped: by
    hard rules and caps, as arrays: most requests need few of them. decisions: all others, in the
    order of the rules."""

    rows: list[int]
    propensity: list[float]
    randomised: list[bool]
    dropped: list[Dropped] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def explored(self, rule: Checked) -> list[Decision]:
        """The decisions among them that are exploration's, of the slate alone. rule: that one of its policy."""
        placed = zip(self.rows, self.propensity, self.randomised, strict=True)
        return [Decision(row, rule.id, rule.seq, "insert", p) for row, p, random in placed if random]


def apply(policy: Policy, visit: Visit, item_id: Ints, score: Floats, seen: Ints, slate_size: int, now: float) -> Slate:
    """A slate of at most slate_size of the candidates, no item twice.

    item_id: int64 [n], best score first; an id the catalogue lacks has no rights anywhere. score:
    float32 [n], higher is better; NaN counts as the worst. seen: int64 [m], newest first. now: world
    seconds. Ties keep the order given. Raises WIRE-001 when item_id and score differ in n.
    """
    if item_id.shape != score.shape:
        raise SandboxError(
            "WIRE-001",
            where="rules.apply, score",
            seen=score.shape,
            expected=f"{item_id.shape}",
            fix="send one score per candidate",
        )
    known = (item_id >= 0) & (item_id < policy.catalogue.n_items)
    at = np.where(known, item_id, 0)
    alive, dropped, spare = _hard(policy, visit, item_id, at, known, seen, now)
    rows = np.flatnonzero(alive)
    decisions: list[Decision] = []
    worth: NDArray[np.floating[Any]] = _finite(score[rows])
    freshness = policy.rules.get("freshness")
    if freshness is not None and len(rows):
        factor = freshness_factor(policy.published_ts[at[rows]], now, freshness.params)
        worth = worth + np.abs(worth) * (factor - 1)
        for i in (factor >= _NOTED).nonzero()[0].tolist():
            decisions.append(Decision(int(rows[i]), freshness.id, freshness.seq, "boost", float(factor[i])))
    order = np.argsort(-worth, kind="stable")
    rows, worth = rows[order], worth[order]
    items = at[rows]
    pinned = _sponsored(policy, items, slate_size)
    share = policy.terms.explore_share
    chance = np.ones(slate_size)
    if share > 0:
        place = (visit.user, visit.session, visit.depth)
        chance = uniforms(policy.seed, "rules/exploration", *place, np.arange(slate_size))
    creators = policy.catalogue.item_creator[items]
    picked = pick(
        worth.astype(np.float32), policy.topics[items], creators, slate_size, policy.terms, pinned=pinned, chance=chance
    )
    slate = Slate([int(rows[i]) for i in picked.rows], picked.propensity, picked.randomised, dropped)
    _soft_decisions(policy, picked, rows, pinned, slate, decisions)
    missing = slate_size - len(slate.rows)
    if missing and len(spare):
        _refill(policy, slate, spare, item_id, seen, missing, decisions)
    decisions.sort(key=lambda decision: decision.seq)
    slate.decisions = decisions
    return slate


def _hard(
    policy: Policy, visit: Visit, item_id: Ints, at: Ints, known: Mask, seen: Ints, now: float
) -> tuple[Mask, list[Dropped], Ints]:
    """Rows no hard rule refuses, the drops, and the seen rows that only `seen` refuses (empty when
    they may not come back)."""
    alive, dropped = np.ones(len(at), bool), list[Dropped]()
    refused_else = np.zeros(len(at), bool)
    was_seen = np.zeros(0, np.int64)
    for rule in policy.hard:
        refused, value = _refused(rule, policy, visit, item_id, at, known, seen, now)
        if refused is None:
            continue
        rows = np.flatnonzero(refused & alive)
        if rule.id == "seen":
            was_seen = np.flatnonzero(refused) if rule.params["refill"] else was_seen
        else:
            refused_else |= refused
        if len(rows):
            alive[rows] = False
            dropped.append(Dropped(rule.id, rule.seq, rows, value[rows]))
    return alive, dropped, was_seen[~refused_else[was_seen]]


def _refused(
    rule: Checked, policy: Policy, visit: Visit, item_id: Ints, at: Ints, known: Mask, seen: Ints, now: float
) -> tuple[Mask | None, NDArray[Any]]:
    """bool [n], True where the rule refuses (None: nowhere), and the value it compared."""
    catalogue = policy.catalogue
    if rule.id == "duplicate":
        first = np.unique(item_id, return_index=True)[1]
        if len(first) == len(item_id):
            return None, item_id
        again = np.ones(len(item_id), bool)
        again[first] = False
        return again, again
    if rule.id == "seen":
        if not len(seen):
            return None, item_id
        shown = np.isin(item_id, seen)
        return shown, shown
    if rule.id == "blocked_creator":
        blocked = catalogue.blocked(visit.user) if 0 <= visit.user < catalogue.n_users else ()
        if not len(blocked):
            return None, item_id
        creators = catalogue.item_creator[at]
        return np.isin(creators, blocked) & known, creators
    if rule.id == "region_rights":
        allowed = ((catalogue.item_regions[at] >> visit.region) & 1).astype(bool) & known
        return ~allowed, allowed
    if rule.id == "maturity":
        least = catalogue.item_maturity[at]
        return (least > policy.age_years(visit.user)) & known, least
    assert rule.id == "sensitivity", f"{rule.id} is no hard rule"
    refused = policy.refused_as_sensitive(visit.user, at, now)
    return refused & known, catalogue.item_sens_score[at]


def freshness_factor(
    published_ts: NDArray[np.float64], now: float | NDArray[np.float64], params: dict[str, Any]
) -> NDArray[np.float64]:
    """Factor on the score, 1..1 + boost; it halves its excess every half_life_h."""
    age_h = np.maximum(now - published_ts, 0.0) / 3600.0
    out: NDArray[np.float64] = 1.0 + params["boost"] * np.exp2(-age_h / params["half_life_h"])
    return out


def _sponsored(policy: Policy, items: Ints, slate_size: int) -> tuple[int, int] | None:
    """(slot from 0, row of `items`) of the best sponsored item, if there is one and the slate has that
    slot. It passed the hard rules like every other row."""
    params = policy.params("sponsored")
    if params is None or params["position"] > slate_size:
        return None
    rows = np.flatnonzero(policy.catalogue.item_sponsored[items])
    return (int(params["position"]) - 1, int(rows[0])) if len(rows) else None


def _soft_decisions(
    policy: Policy, picked: Picked, rows: Ints, pinned: tuple[int, int] | None, slate: Slate, decisions: list[Decision]
) -> None:
    if picked.capped:
        capped = np.array(picked.capped)
        seq = policy.rules["creator_cap"].seq
        slate.dropped.append(Dropped("creator_cap", seq, rows[capped[:, 0]], capped[:, 1]))
    rule = policy.rules.get("diversity")
    if rule is not None:
        for i, cosine in picked.passed.items():
            decisions.append(Decision(int(rows[i]), rule.id, rule.seq, "demote", cosine))
    if pinned is not None:
        rule = policy.rules["sponsored"]
        decisions.append(Decision(int(rows[pinned[1]]), rule.id, rule.seq, "pin", float(pinned[0] + 1)))
    if any(picked.randomised):
        decisions += slate.explored(policy.rules["exploration"])


def _refill(
    policy: Policy, slate: Slate, spare: Ints, item_id: Ints, seen: Ints, missing: int, decisions: list[Decision]
) -> None:
    """Append what was seen longest ago, below all else, within the creator cap."""
    place = {item: i for i, item in reversed(list(enumerate(seen.tolist())))}  # newest sight counts
    spare_rows = sorted(spare.tolist(), key=lambda row: -place[int(item_id[row])])
    creators = policy.catalogue.item_creator
    held: dict[int, int] = {}
    for row in slate.rows:
        whose = int(creators[item_id[row]])
        held[whose] = held.get(whose, 0) + 1
    seq, back = policy.rules["seen"].seq, list[int]()
    for row in spare_rows:
        whose = int(creators[item_id[row]])
        if held.get(whose, 0) >= policy.terms.max_per_creator:
            continue
        held[whose] = held.get(whose, 0) + 1
        back.append(row)
        slate.rows.append(row)
        slate.propensity.append(1.0)
        slate.randomised.append(False)
        decisions.append(Decision(row, "seen", seq, "demote", 0.0))
        if len(back) == missing:
            break
    for i, drop in enumerate(slate.dropped):
        if drop.rule == "seen" and back:
            stays = ~np.isin(drop.rows, back)
            slate.dropped[i] = drop._replace(rows=drop.rows[stays], factor=drop.factor[stays])


def _finite(score: Floats) -> Floats:
    if np.isfinite(score.sum(dtype=np.float64)):
        return score
    return np.nan_to_num(score, nan=-1e9, posinf=1e9, neginf=-1e9)
