"""Candidates from five sources, and their merge. Arrays in, arrays out.

Sources, in the fixed order of `SOURCES` (bit i of a candidate's mask is source i): `ann` (nearest
items to the user's vector), `covisit` (clicked together with the recent clicks), `followed` (newest of
followed creators), `popular` (by region) and `fresh` (newest of all).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.base.catalogue import LANGUAGES, Catalogue

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SOURCES = ("ann", "covisit", "followed", "popular", "fresh")
IMPERSONAL = ("popular", "fresh")  # what a user without consent may be served from
RRF_K = 60  # Cormack, Clarke and Buettcher, SIGIR 2009: how little the first ranks differ
N_PER_CREATOR = 4  # newest items of one followed creator, or a prolific one fills the quota
ANY_LANGUAGE = LANGUAGES.index("xx")


@dataclass(frozen=True)
class Found:
    """One source's answer, best first. ids: int64 [n], none twice. scores: float32 [n], its own."""

    ids: Ints
    scores: Floats

    def first(self, n: int) -> Found:
        return Found(self.ids[:n], self.scores[:n])


def popular_by_region(items: NDArray[np.int32], scores: Floats) -> list[Found]:
    """From the popular artefact. items, scores: [regions, n], best first, item -1 where there is none."""
    return [Found(ids[ids >= 0].astype(np.int64), of[ids >= 0]) for ids, of in zip(items, scores, strict=True)]


NOTHING = Found(np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Merged:
    """Candidates in merged order, no item twice. ids: int64 [n]; scores: float32 [n], higher is
    better; sources: uint8 [n], bit i set where `SOURCES[i]` proposed the item."""

    ids: Ints
    scores: Floats
    sources: NDArray[np.uint8]


@dataclass(frozen=True)
class Covisit:
    """neighbours: int [items, m], items clicked by the same users, best first, -1 where none.
    weights: float32 [items, m], higher is closer."""

    neighbours: NDArray[np.int32]
    weights: Floats

    def find(self, recent: Ints, n: int) -> Found:
        """Neighbours of the recent clicks (newest first), without those clicks themselves.

        An older click counts less: its neighbours' weights are divided by the root of its place.
        """
        recent = recent[(recent >= 0) & (recent < len(self.neighbours))]
        if not len(recent):
            return NOTHING
        near = self.neighbours[recent]
        decay = 1.0 / np.sqrt(1.0 + np.arange(len(recent), dtype=np.float32))
        weight = self.weights[recent] * decay[:, None]
        keep = (near >= 0) & ~np.isin(near, recent)
        ids, at = np.unique(near[keep], return_inverse=True)
        score = np.bincount(at, weight[keep], len(ids)).astype(np.float32)
        order = np.argsort(-score, kind="stable")[:n]  # ties: the lower id
        return Found(ids[order].astype(np.int64), score[order])


class Shelves:
    """The public catalogue, laid out for the sources that need no model."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        published = np.nan_to_num(catalogue.item_published_ts, nan=0.0)
        self.published_ts = published
        self.by_time = np.argsort(published, kind="stable")
        self.times = published[self.by_time]
        creators = catalogue.item_creator
        newest_first = np.lexsort((-published, creators))
        self.creator_items = newest_first.astype(np.int64)
        counts = np.bincount(creators, minlength=len(catalogue.creator_group))
        self.creator_indptr = np.concatenate([[0], np.cumsum(counts)])

    def fresh(self, n: int, now: float, region: int, language: int) -> Found:
        """Newest items published by `now` (world seconds) with rights in `region`, in the user's
        language (-1: any) or in none."""
        upto = int(np.searchsorted(self.times, now, side="right"))
        ids = self.by_time[max(0, upto - 8 * n) : upto][::-1]
        fits = (self.catalogue.item_regions[ids] >> region) & 1 == 1
        if language >= 0:
            spoken = self.catalogue.item_language[ids]
            fits &= (spoken == language) | (spoken == ANY_LANGUAGE)
        ids = ids[fits][:n].astype(np.int64)
        return Found(ids, age_score(now - self.published_ts[ids]))

    def followed(self, creators: NDArray[np.int32], n: int, now: float) -> Found:
        """Newest items published by `now` of these creators, at most `N_PER_CREATOR` of each."""
        start, stop = self.creator_indptr[creators], self.creator_indptr[creators + 1]
        place = start[:, None] + np.arange(2 * N_PER_CREATOR)
        ids = self.creator_items[np.where(place < stop[:, None], place, 0)]
        there = (place < stop[:, None]) & (self.published_ts[ids] <= now)
        there &= np.cumsum(there, axis=1) <= N_PER_CREATOR
        chosen = ids[there]
        age = now - self.published_ts[chosen]
        order = np.argsort(age, kind="stable")[:n]
        return Found(chosen[order], age_score(age[order]))

    def visible(self, ids: Ints, now: float) -> NDArray[np.bool_]:
        """bool [n]: known to the catalogue and published by `now`."""
        known = (ids >= 0) & (ids < len(self.published_ts))
        out: NDArray[np.bool_] = known & (self.published_ts[np.where(known, ids, 0)] <= now)
        return out


def allotted(quotas: Mapping[str, int], n_wanted: int) -> dict[str, int]:
    """Candidates to ask of each source: its quota, more when `n_wanted` exceeds their sum."""
    total = sum(quotas.get(source, 0) for source in SOURCES)
    grow = max(1.0, n_wanted / total) if total else 1.0
    return {source: int(np.ceil(quotas.get(source, 0) * grow)) for source in SOURCES}


def merge(found: Mapping[str, Found], n_wanted: int) -> Merged:
    """The sources' lists in one, by reciprocal rank fusion: an item scores the sum of 1 / (60 + rank)
    over the sources that proposed it, so agreement counts and no source's scale matters.

    Ties go to the item seen first in the order of `SOURCES`. Returns at most n_wanted. O(n log n).
    """
    lists = [(i, found[source].ids) for i, source in enumerate(SOURCES) if source in found]
    if not sum(len(ids) for _, ids in lists):
        return Merged(NOTHING.ids, NOTHING.scores, np.zeros(0, np.uint8))
    ids = np.concatenate([ids for _, ids in lists])
    bit = np.concatenate([np.full(len(ids), 1 << i, np.uint8) for i, ids in lists])
    gain = np.concatenate([1.0 / (RRF_K + 1 + np.arange(len(ids))) for _, ids in lists])
    unique, first, at = np.unique(ids, return_index=True, return_inverse=True)
    score = np.bincount(at, gain, len(unique))
    mask = np.bincount(at, bit, len(unique)).astype(np.uint8)  # a source lists an item once
    order = np.lexsort((first, -score))[:n_wanted]
    return Merged(unique[order], score[order].astype(np.float32), mask[order])


def top_up(merged: Merged, popular: Found, n_wanted: int) -> Merged:
    """Fill what is missing from further down the popular list, below everything else."""
    missing = n_wanted - len(merged.ids)
    if missing <= 0 or not len(popular.ids):
        return merged
    spare = popular.ids[~np.isin(popular.ids, merged.ids)][:missing]
    last = float(merged.scores[-1]) if len(merged.scores) else 1.0 / RRF_K
    scores = last * (1.0 - (1.0 + np.arange(len(spare))) / (len(spare) + 2.0))
    bits = np.full(len(spare), 1 << SOURCES.index("popular"), np.uint8)
    return Merged(
        np.concatenate([merged.ids, spare]),
        np.concatenate([merged.scores, scores.astype(np.float32)]),
        np.concatenate([merged.sources, bits]),
    )


def recall(found: Ints, wanted: Ints) -> float:
    """Share of `wanted` [q, m] (-1: none) found in the same row of `found` [q, k]; NaN without any."""
    there = wanted >= 0
    if not there.any():
        return float("nan")
    hit = (wanted[:, :, None] == found[:, None, :]).any(axis=2) & there
    return float(hit.sum() / there.sum())


def age_score(age_s: NDArray[np.float64]) -> Floats:
    """1 for what is new, half of it after a day: comparable within its source, which is all it is for."""
    out: Floats = np.exp2(-np.maximum(age_s, 0.0) / 86_400.0).astype(np.float32)
    return out
