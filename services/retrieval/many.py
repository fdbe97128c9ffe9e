"""The sources and their merge for many requests at once: what `core` gives for each, in the same order.

Rows of every array are requests. Lists of items are padded with -1 on the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.base.compiled import laid
from services.retrieval import kernels
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
    """A catalogue and its lists, laid out for the kernels."""

    def __init__(self, shelves: Shelves, covisit: Covisit | None, popular: Sequence[Found]) -> None:
        catalogue = shelves.catalogue
        self.shelves, self.n_items = shelves, len(shelves.published_ts)
        self._published = laid(shelves.published_ts, np.float64)
        self._by_creator = (
            laid(catalogue.follows_indptr, np.int64),
            laid(catalogue.follows_creator, np.int32),
            laid(shelves.creator_indptr, np.int64),
            laid(shelves.creator_items, np.int64),
        )
        self._by_time = (
            laid(shelves.by_time, np.int64),
            laid(catalogue.item_regions, np.uint16),
            laid(catalogue.item_language, np.int8),
        )
        self._near = None
        if covisit is not None:
            near = laid(covisit.neighbours, np.int32)
            n_ids = max(len(near), int(near.max(initial=-1)) + 1)
            self._near = (near, laid(covisit.weights, np.float32), n_ids)
        width = max((len(found.ids) for found in popular), default=0)
        self._popular = np.full((len(popular), width), -1, np.int64)
        self._popular_scores = np.zeros(self._popular.shape, np.float32)
        for ids, scores, found in zip(self._popular, self._popular_scores, popular, strict=True):
            ids[: len(found.ids)], scores[: len(found.ids)] = found.ids, found.scores
        self._popular_n = np.array([len(found.ids) for found in popular], np.int64)

    def found(self, scores: Floats, ids: Ints, asked: Ints, n_requests: int) -> Lists:
        """What an index found, [q, m] with id -1 at the end of a row, for the requests `asked`, int64 [q]."""
        if len(asked) == n_requests:
            return Lists(ids, scores, (ids >= 0).sum(1))
        all_ids = np.full((n_requests, ids.shape[1]), -1, np.int64)
        all_scores = np.zeros(all_ids.shape, np.float32)
        all_ids[asked], all_scores[asked] = ids, scores
        return Lists(all_ids, all_scores, (all_ids >= 0).sum(1))

    def covisit(self, recent: Ints, n: int) -> Lists:
        """As `Covisit.find`. recent: int64 [b, r], clicks newest first; others than the catalogue's
        items are passed over."""
        assert self._near is not None, "asked of a stack without this source"
        decay = 1.0 / np.sqrt(1.0 + np.arange(recent.shape[1], dtype=np.float32))
        return Lists(*kernels.covisit(laid(recent, np.int64), *self._near, decay, n))

    def followed(self, users: Ints, n: int, now: NDArray[np.float64]) -> Lists:
        """As `Shelves.followed` for what each user follows. users: int64 [b], an unknown one follows
        nobody; now: [b], world seconds."""
        ids, counts = kernels.followed(users, n, N_PER_CREATOR, now, *self._by_creator, self._published)
        return Lists(ids, self._age_scores(ids, now), counts)

    def fresh(self, n: int, now: NDArray[np.float64], region: Ints, language: Ints) -> Lists:
        """As `Shelves.fresh`. now, region, language: [b]."""
        upto = np.searchsorted(self.shelves.times, now, side="right")
        ids, counts = kernels.fresh(n, upto, region, language, ANY_LANGUAGE, *self._by_time)
        return Lists(ids, self._age_scores(ids, now), counts)

    def popular(self, region: Ints, n: int) -> Lists:
        """The first n of each request's region. Needs the source to be there."""
        return Lists(
            self._popular[region, :n], self._popular_scores[region, :n], np.minimum(self._popular_n[region], n)
        )

    def visible(self, lists: Lists, now: NDArray[np.float64]) -> Lists:
        """Without what the catalogue lacks or what is not published by `now`."""
        return Lists(*kernels.visible(lists.ids, lists.scores, now, self._published))

    def merge(self, found: Mapping[str, Lists], n_wanted: int, n_requests: int) -> ManyMerged:
        """As `core.merge`; every id is the catalogue's."""
        lists = [(i, found[source].ids) for i, source in enumerate(SOURCES) if source in found]
        widths = [of.shape[1] for _, of in lists]
        gain = 1.0 / (RRF_K + 1 + np.concatenate([np.zeros(0), *map(np.arange, widths)]))
        bit = np.repeat(np.array([1 << i for i, _ in lists], np.uint8), widths)
        ids = np.concatenate([np.zeros((n_requests, 0), np.int64), *(of for _, of in lists)], axis=1)
        items, minus, masks, n = kernels.fused(ids, gain, bit, self.n_items)
        order = minus.argsort(axis=1, kind="stable")
        return ManyMerged(*kernels.taken(order, items, minus, masks, n, n_wanted))

    def top_up(self, merged: ManyMerged, region: Ints, now: NDArray[np.float64], n_wanted: int) -> ManyMerged:
        """As `core.top_up` from each region's popular items that are visible. n_wanted: as in the merge."""
        if (merged.n == n_wanted).all():
            return merged
        filled = ManyMerged(merged.ids.copy(), merged.scores.copy(), merged.sources.copy(), merged.n.copy())
        kernels.topped_up(
            filled.ids, filled.scores, filled.sources, filled.n, self._popular[region],
            now, self._published, 1 << SOURCES.index("popular"), 1.0 / RRF_K,
        )  # fmt: skip
        return filled

    def _age_scores(self, ids: Ints, now: NDArray[np.float64]) -> Floats:
        """0 beyond the end."""
        return np.where(ids >= 0, age_score(now[:, None] - self._published[ids]), np.float32(0))
