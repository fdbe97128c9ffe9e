"""The sources and their merge for many requests at once: what `core` gives for each, in the same order.

Rows of every array are requests. Lists of items are padded with -1 on the right. Items are told apart
by (request, item) in one flat table, so nothing is sorted to find what occurs twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.retrieval.core import (
    ANY_LANGUAGE,
    N_PER_CREATOR,
    RRF_K,
    SOURCES,
    Covisit,
    Floats,
    Found,
    Ints,
    Shelves,
    age_score,
)
from services.retrieval.grids import LOW, by_owner, compressed, descending, padded, score_of


@dataclass(frozen=True)
class Lists:
    """One source's answers. ids: int64 [b, m], best first, -1 beyond the end. scores: float32 [b, m].
    n: int64 [b], items of each."""

    ids: Ints
    scores: Floats
    n: Ints

    def of(self, row: int) -> Found:
        n = self.n[row]
        return Found(self.ids[row, :n], self.scores[row, :n])


@dataclass(frozen=True)
class ManyMerged:
    """`Merged` of many requests. ids: int64 [b, m], -1 beyond the end; scores: float32 [b, m]; sources:
    uint8 [b, m]; n: int64 [b]."""

    ids: Ints
    scores: Floats
    sources: NDArray[np.uint8]
    n: Ints


class Shelf:
    """A catalogue and its lists, laid out for many requests. Not to be used by two threads at once."""

    def __init__(self, shelves: Shelves, covisit: Covisit | None, popular: Sequence[Found]) -> None:
        self.shelves, self.covisit_lists = shelves, covisit
        self.n_items = len(shelves.published_ts)
        newest = np.unique(-shelves.published_ts, return_inverse=True)[1]
        self._newest = newest.astype(np.uint64)  # 0: published last; one number for one moment
        self._popular = padded([found.ids for found in popular], np.int64, -1)
        self._popular_scores = padded([found.scores for found in popular], np.float32, 0)
        self._popular_n = np.array([len(found.ids) for found in popular], np.int64)
        self._first = np.zeros(0, np.int32)  # by (request, item): any number between two uses
        self._marked = np.zeros(0, bool)  # by (request, item): False between two uses

    def found(self, scores: Floats, ids: Ints, asked: Ints, n_requests: int) -> Lists:
        """What an index found, [q, m] with id -1 at the end of a row, for the requests `asked`, int64 [q]."""
        all_ids = np.full((n_requests, ids.shape[1]), -1, np.int64)
        all_scores = np.zeros(all_ids.shape, np.float32)
        all_ids[asked], all_scores[asked] = ids, scores
        return Lists(all_ids, all_scores, (all_ids >= 0).sum(1))

    def covisit(self, recent: Ints, n: int) -> Lists:
        """As `Covisit.find`. recent: int64 [b, r], clicks newest first; others than the catalogue's
        items are passed over."""
        assert self.covisit_lists is not None, "asked of a stack without this source"
        known = (recent >= 0) & (recent < self.n_items)
        owner, at = known.nonzero()
        clicked = recent[owner, at]
        # Rounded as the one-request version rounds it, or equal weights would come apart.
        decay = 1.0 / np.sqrt(1.0 + np.arange(max(recent.shape[1], 1), dtype=np.float32))
        place = known.cumsum(1)[owner, at] - 1
        near = self.covisit_lists.neighbours[clicked]
        weight = self.covisit_lists.weights[clicked] * decay[place][:, None]
        base = owner * self.n_items
        marked = self._marks(len(recent))
        marked[base + clicked] = True
        keys = base[:, None] + near
        keep = near >= 0
        keep &= ~marked[np.where(keep, keys, 0)]
        marked[base + clicked] = False
        keys, of = keys[keep], np.broadcast_to(owner[:, None], near.shape)[keep]
        first, here = self._firsts(keys, len(recent))
        score = np.bincount(first, weight[keep], len(keys)).astype(np.float32)
        owner = of[here]
        ids = keys[here] - owner * self.n_items
        grid, counts = by_owner(descending(score[here]) << np.uint64(32) | ids.astype(np.uint64), owner, len(recent))  # fmt: skip
        grid.sort(axis=1)
        best = grid[:, :n]
        n_found = np.minimum(counts, n)
        inside = np.arange(best.shape[1]) < n_found[:, None]
        return Lists(
            np.where(inside, (best & LOW).astype(np.int64), -1),
            np.where(inside, score_of(best >> np.uint64(32)), np.float32(0)), n_found,
        )  # fmt: skip

    def followed(self, users: Ints, n: int, now: NDArray[np.float64]) -> Lists:
        """As `Shelves.followed` for what each user follows. users: int64 [b], an unknown one follows
        nobody; now: [b], world seconds."""
        shelves, catalogue = self.shelves, self.shelves.catalogue
        known = (users >= 0) & (users < catalogue.n_users)
        user = np.where(known, users, 0)
        begin = catalogue.follows_indptr[user]
        many = np.where(known, catalogue.follows_indptr[user + 1] - begin, 0)
        owner = np.repeat(np.arange(len(users)), many)
        creators = catalogue.follows_creator[np.repeat(begin - (many.cumsum() - many), many) + np.arange(len(owner))]  # fmt: skip
        start, stop = shelves.creator_indptr[creators], shelves.creator_indptr[creators + 1]
        place = start[:, None] + np.arange(2 * N_PER_CREATOR)
        there = place < stop[:, None]
        ids = shelves.creator_items[np.where(there, place, 0)]
        there &= shelves.published_ts[ids] <= now[owner][:, None]
        there &= there.cumsum(1) <= N_PER_CREATOR
        chosen = ids[there]
        owner = np.broadcast_to(owner[:, None], there.shape)[there]
        grid, counts = by_owner(self._newest[chosen] << np.uint64(32), owner, len(users))
        grid |= np.arange(grid.shape[1], dtype=np.uint64)
        grid.sort(axis=1)
        best, n_found = grid[:, :n] & LOW, np.minimum(counts, n)
        inside = np.arange(best.shape[1]) < n_found[:, None]
        before = counts.cumsum() - counts
        at = np.where(inside, before[:, None] + best.astype(np.int64), 0)
        out = np.where(inside, np.append(chosen, -1)[at], -1)
        return Lists(out, self._age_scores(out, inside, now), n_found)

    def fresh(self, n: int, now: NDArray[np.float64], region: Ints, language: Ints) -> Lists:
        """As `Shelves.fresh`. now, region, language: [b]."""
        shelves, catalogue = self.shelves, self.shelves.catalogue
        upto = np.searchsorted(shelves.times, now, side="right")
        at = upto[:, None] - 1 - np.arange(8 * n)
        fits = at >= 0
        ids = shelves.by_time[np.maximum(at, 0)]
        fits &= (catalogue.item_regions[ids] >> region[:, None]) & 1 == 1
        spoken = catalogue.item_language[ids]
        fits &= (language < 0)[:, None] | (spoken == language[:, None]) | (spoken == ANY_LANGUAGE)
        found = compressed(ids, fits, n)
        return Lists(found, self._age_scores(found, found >= 0, now), (found >= 0).sum(1))

    def popular(self, region: Ints, n: int) -> Lists:
        """The first n of each request's region. Needs the source to be there."""
        return Lists(
            self._popular[region, :n], self._popular_scores[region, :n],
            np.minimum(self._popular_n[region], n),
        )  # fmt: skip

    def visible(self, lists: Lists, now: NDArray[np.float64]) -> Lists:
        """Without what the catalogue lacks or what is not published by `now`."""
        there = lists.ids >= 0
        seen = self._visible(lists.ids, now)
        if (seen == there).all():
            return lists
        place = np.argsort(~seen, axis=1, kind="stable")  # moves them to the left, in their order
        n = seen.sum(1)
        inside = np.arange(seen.shape[1]) < n[:, None]
        return Lists(
            np.where(inside, np.take_along_axis(lists.ids, place, 1), -1),
            np.where(inside, np.take_along_axis(lists.scores, place, 1), np.float32(0)), n,
        )  # fmt: skip

    def merge(self, found: Mapping[str, Lists], n_wanted: int, n_requests: int) -> ManyMerged:
        """As `core.merge`; every id is the catalogue's."""
        lists = [(i, found[source].ids) for i, source in enumerate(SOURCES) if source in found]
        ids = np.concatenate([np.zeros((n_requests, 0), np.int64), *(ids for _, ids in lists)], axis=1)  # fmt: skip
        gain = np.concatenate([np.zeros(0), *(1.0 / (RRF_K + 1 + np.arange(of.shape[1])) for _, of in lists)])  # fmt: skip
        bit = np.concatenate([np.zeros(0), *(np.full(of.shape[1], 1 << i) for i, of in lists)])
        owner, at = (ids >= 0).nonzero()
        keys = owner * self.n_items + ids[owner, at]
        first, here = self._firsts(keys, n_requests)
        score = np.bincount(first, gain[at], len(keys))[here]
        mask = np.bincount(first, bit[at], len(keys))[here].astype(np.uint8)
        owner, keys = owner[here], keys[here]
        counts = np.bincount(owner, minlength=n_requests)
        before = counts.cumsum() - counts
        worst = np.full((n_requests, int(counts.max(initial=0))), np.inf)
        worst[owner, np.arange(len(owner)) - before[owner]] = -score
        order = worst.argsort(axis=1, kind="stable")[:, :n_wanted]
        n = np.minimum(counts, n_wanted)
        inside = np.arange(order.shape[1]) < n[:, None]
        rows = np.where(inside, before[:, None] + order, len(keys))
        items = np.append(keys - owner * self.n_items, -1)
        return ManyMerged(
            items[rows], np.append(score, 0.0).astype(np.float32)[rows],
            np.append(mask, np.uint8(0))[rows], n,
        )  # fmt: skip

    def top_up(
        self, merged: ManyMerged, region: Ints, now: NDArray[np.float64], n_wanted: int
    ) -> ManyMerged:
        """As `core.top_up` from each region's popular items that are visible."""
        missing = n_wanted - merged.n
        short = np.flatnonzero(missing > 0)
        if not len(short):
            return merged
        width = merged.ids.shape[1]
        ids = np.full((len(merged.n), n_wanted), -1, np.int64)
        scores, sources = np.zeros(ids.shape, np.float32), np.zeros(ids.shape, np.uint8)
        ids[:, :width], scores[:, :width], sources[:, :width] = merged.ids, merged.scores, merged.sources  # fmt: skip
        held, n_held = ids[short], merged.n[short]
        marked, base = self._marks(len(short)), np.arange(len(short))[:, None] * self.n_items
        mine = (held + base)[held >= 0]
        marked[mine] = True
        deeper = self._popular[region[short]]
        spare = self._visible(deeper, now[short])
        spare &= ~marked[np.where(deeper >= 0, deeper + base, 0)]
        marked[mine] = False
        place = spare.cumsum(1)
        spare &= place <= missing[short][:, None]
        n_spare = spare.sum(1)
        row, at = spare.nonzero()
        rank = place[row, at] - 1
        last = np.where(
            n_held > 0, scores[short, np.maximum(n_held - 1, 0)].astype(float), 1.0 / RRF_K
        )
        to = (short[row], n_held[row] + rank)
        ids[to] = deeper[row, at]
        scores[to] = last[row] * (1.0 - (1.0 + rank) / (n_spare[row] + 2.0))
        sources[to] = 1 << SOURCES.index("popular")
        n = merged.n.copy()
        n[short] += n_spare
        return ManyMerged(ids, scores, sources, n)

    def _visible(self, ids: Ints, now: NDArray[np.float64]) -> NDArray[np.bool_]:
        known = (ids >= 0) & (ids < self.n_items)
        out: NDArray[np.bool_] = known & (self.shelves.published_ts[np.where(known, ids, 0)] <= now[:, None])  # fmt: skip
        return out

    def _age_scores(self, ids: Ints, inside: Any, now: NDArray[np.float64]) -> Floats:
        age = now[:, None] - self.shelves.published_ts[np.where(inside, ids, 0)]
        return np.where(inside, age_score(age), np.float32(0))

    def _firsts(self, keys: Ints, n_requests: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """For each key where it stands first, [n], and whether that is here."""
        if len(self._first) < n_requests * self.n_items:
            self._first = np.zeros(n_requests * self.n_items, np.int32)
        at = np.arange(len(keys), dtype=np.int32)
        self._first[keys[::-1]] = at[::-1]  # of several the last one written stays
        first = self._first[keys]
        return first, first == at

    def _marks(self, n_requests: int) -> NDArray[np.bool_]:
        if len(self._marked) < n_requests * self.n_items:
            self._marked = np.zeros(n_requests * self.n_items, bool)
        return self._marked
