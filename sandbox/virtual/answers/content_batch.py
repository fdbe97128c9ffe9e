"""A batch of requests through all stages at once, as `Content`'s stages answer each of them alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sandbox.base.errors import SandboxError
from sandbox.base.features import N_RECENT, USER_PROFILE, USER_SESSION, FeatureView, Rows, Status
from sandbox.virtual.answers import kernels
from sandbox.virtual.answers.forward import is_finite
from sandbox.virtual.answers.inputs import InputBuilder
from sandbox.virtual.answers.loaded import Loaded, Sources
from sandbox.virtual.answers.request import Answer, ItemRows, Request
from services.gateway.core import source_names
from services.gateway.stages import Candidates, Ranked, UserRows
from services.ranking.core import OBJECTIVES, Floats, Ints, combine
from services.ranking.server import PRIOR
from services.retrieval.core import IMPERSONAL, SOURCES, Found, allotted
from services.retrieval.many import Lists, ManyMerged, Shelf
from services.rules.core import Slate, Visit
from services.rules.many import apply_many

NAMES = source_names(list(SOURCES))
_PUNCTUAL = {"followed", "fresh"}  # sources that find nothing that is not out yet
_LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Requests:
    """A batch as arrays, [b]. known: user, -1 without consent. recent: int64 [b, N_RECENT]."""

    user: Ints
    known: Ints
    region: Ints
    language: Ints
    now: NDArray[np.float64]
    recent: Ints

    @classmethod
    def of(cls, asked: Sequence[Request], rows: Sequence[UserRows], language: NDArray[np.integer]) -> Requests:
        user = np.array([a.user for a in asked], np.int64)
        known = np.where([a.personalised for a in asked], user, -1)
        recent = np.full((len(asked), N_RECENT), -1, np.int64)
        for row, of in zip(recent, rows, strict=True):
            row[: len(of.recent)] = of.recent
        return cls(
            user, known, np.array([a.region for a in asked], np.int64),
            language[user].astype(np.int64), np.array([a.now for a in asked], np.float64), recent,
        )  # fmt: skip


class Batch:
    """Requests on their way through the stages; every one of them wants as many candidates."""

    def __init__(
        self, shelf: Shelf, sources: Sources, builder: InputBuilder, loaded: Loaded,
        asked: Sequence[Request], rows: Sequence[UserRows], n_wanted: int,
    ) -> None:  # fmt: skip
        self.shelf, self.sources, self.builder, self.loaded = shelf, sources, builder, loaded
        self.asked, self.rows, self.n_wanted = asked, rows, n_wanted
        self.catalogue = shelf.shelves.catalogue
        self.of = Requests.of(asked, rows, self.catalogue.user_language)
        self.rankers = [loaded.ranker_of(a.user, a.now) for a in asked]
        self.said = set[str]()  # those of them that took their rows

    def answers(self, item_rows: ItemRows) -> list[Answer | None]:
        """All stages; None for a request that no source has anything for."""
        found, merged = self._retrieve()
        candidates = self._candidates(found, merged)
        owner = np.repeat(np.arange(len(self.asked)), merged.n)
        items, ends = merged.ids[merged.ids >= 0], merged.n.cumsum()
        spans = [slice(*span) for span in zip((ends - merged.n).tolist(), ends.tolist(), strict=True)]
        stats = item_rows(items, self.of.now[owner])
        x, fit_for_use = self._inputs(items, stats, owner)
        p = self._probabilities(items, x, owner, merged.n)
        ranked = self._ranked(stats, p, fit_for_use, owner, spans)
        slates = self._slates(candidates, ranked)
        return [
            Answer(
                self.rows[i], partial(self._found, found, i), candidates[i], part(stats, at), x[at],
                p[at] if self.rankers[i] in self.said else None, ranked[i], slates[i],
            )
            if at.stop > at.start else None
            for i, at in enumerate(spans)
        ]  # fmt: skip

    # -- retrieval -------------------------------------------------------------------------------

    def _retrieve(self) -> tuple[dict[str, Lists], ManyMerged]:
        """The lists of all sources, and their merge."""
        config, shelf, of, n = self.loaded.config.retrieval, self.shelf, self.of, len(self.asked)
        quota = allotted(config.quotas, self.n_wanted) | dict.fromkeys(config.disabled, 0)
        who = np.flatnonzero(of.known >= 0)
        found: dict[str, Lists] = {}
        if quota["ann"] and len(who):
            profiles = finite(np.array([self.rows[i].profile for i in who.tolist()], np.float32))
            vectors = self.loaded.encoder(of.known[who], profiles, of.recent[who])
            scores, ids = self.loaded.nearest(vectors, quota["ann"])
            found["ann"] = shelf.found(scores, ids, who, n)
        if quota["covisit"] and self.sources.covisit is not None:
            recent = np.where(of.known[:, None] >= 0, of.recent, -1)
            found["covisit"] = shelf.covisit(recent, quota["covisit"])
        if quota["followed"]:
            found["followed"] = shelf.followed(of.known, quota["followed"], of.now)
        if quota["popular"] and self.sources.popular:
            found["popular"] = shelf.popular(of.region, quota["popular"])
        if quota["fresh"]:
            found["fresh"] = shelf.fresh(quota["fresh"], of.now, of.region, of.language)
        for source in found.keys() - _PUNCTUAL:
            found[source] = shelf.visible(found[source], of.now)
        merged = shelf.merge(found, self.n_wanted, n)
        if "popular" not in config.disabled and self.sources.popular:
            merged = shelf.top_up(merged, of.region, of.now, self.n_wanted)
        return found, merged

    def _found(self, found: dict[str, Lists], row: int) -> dict[str, Found]:
        """One request's lists of the sources that it may be served from."""
        personalised = self.asked[row].personalised
        return {s: of.of(row) for s, of in found.items() if personalised or s in IMPERSONAL}

    def _candidates(self, found: dict[str, Lists], merged: ManyMerged) -> list[Candidates]:
        config, versions = self.loaded.config, ("", "")
        quota = allotted(config.retrieval.quotas, self.n_wanted)
        lost = {"covisit"} if self.sources.covisit is None else set[str]()
        lost |= set() if self.sources.popular else {"popular"}
        lost -= {s for s in lost if not quota[s] or s in config.retrieval.disabled}
        if "ann" in found:
            versions = (config.model.two_tower, self.loaded.index.version)
        return [
            Candidates(
                merged.ids[i, :n],
                merged.scores[i, :n],
                merged.sources[i, :n].tobytes(),
                NAMES,
                *(versions if a.personalised else ("", "")),
                failed=bool(lost if a.personalised else lost.intersection(IMPERSONAL)),
            )
            for i, (a, n) in enumerate(zip(self.asked, merged.n.tolist(), strict=True))
        ]

    # -- ranking ---------------------------------------------------------------------------------

    def _inputs(self, items: Ints, stats: Rows, owner: Ints) -> tuple[Floats, NDArray[np.bool_]]:
        """The ranker's matrix, and by request whether its rows were fit for use."""
        profile, fine = fit(USER_PROFILE, np.array([r.profile for r in self.rows], np.float32))
        session, fine_too = fit(USER_SESSION, np.array([r.session for r in self.rows], np.float32))
        x = self.builder.build(profile, session, stats, items, owner, self.loaded.contract)
        return x, fine & fine_too

    def _probabilities(self, items: Ints, x: Floats, owner: Ints, sizes: Ints) -> Floats:
        """Of all rows, each by its request's ranker: the canary scores its users' rows. NaN where a model refuses: the
        contract has other columns than it was trained with."""
        users, x = self.of.known[owner], finite(x)
        p = np.full((len(owner), len(OBJECTIVES)), np.nan, np.float32)
        for version in dict.fromkeys(self.rankers):
            mine = np.array([v == version for v in self.rankers])
            rows = slice(None) if mine.all() else mine[owner]
            with suppress(SandboxError):
                p[rows] = self.loaded.rankers[version](users[rows], items[rows], x[rows], sizes[mine].tolist())
                self.said.add(version)
        return p

    def _ranked(
        self, stats: Rows, known: Floats, fine: NDArray[np.bool_], owner: Ints, spans: list[slice]
    ) -> list[Ranked]:
        held = self.loaded
        sizes = np.array([at.stop - at.start for at in spans], np.int64)
        fine_too, missing = kernels.tally(known, stats.status == Status.PRESENT, sizes)
        scored = fine_too.tolist()
        scores = [
            combine(known[at], held.weights)  # each alone: a product's last bits depend on its shape
            if ok
            else stats.values[at, PRIOR] * held.weights[0]
            for at, ok in zip(spans, scored, strict=True)
        ]
        return [
            Ranked(
                order, of, known[at, 0] if ok else np.zeros(len(of), np.float32), by if ok else "",
                share, not (ok and rows_ok), known[at] if ok else None,
            )
            for order, of, at, ok, share, rows_ok, by in zip(
                ordered(scores), scores, spans, scored, missing.tolist(), fine.tolist(), self.rankers, strict=True
            )
        ]  # fmt: skip

    # -- rules -----------------------------------------------------------------------------------

    def _slates(self, candidates: list[Candidates], ranked: list[Ranked]) -> list[Slate]:
        out: list[Slate | None] = [None] * len(self.asked)
        for k in dict.fromkeys(a.k for a in self.asked):
            at = [i for i, a in enumerate(self.asked) if a.k == k]
            visits = [Visit(a.user, a.region, a.session, a.depth) for a in (self.asked[i] for i in at)]
            slates = apply_many(
                self.loaded.policy, visits, [candidates[i].ids[ranked[i].order] for i in at],
                [ranked[i].scores[ranked[i].order] for i in at], [self.rows[i].seen for i in at], k,
                self.of.now[at],
            )  # fmt: skip
            for i, slate in zip(at, slates, strict=True):
                out[i] = slate
        return [slate for slate in out if slate is not None]


def part(rows: Rows, at: slice) -> Rows:
    return Rows(rows.values[at], rows.event_ts[at], rows.status[at], rows.run[at])


def finite(values: Floats) -> Floats:
    """As the model server takes its inputs: what is not finite counts as 0."""
    if is_finite(values):
        return values
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def fit(view: FeatureView, values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows [b, columns] as ranking uses them, default rows in place of those with NaN or infinity, and
    which were fit for use, bool [b]."""
    good = np.asarray(np.isfinite(values).all(axis=1))
    if not good.all():
        values = np.where(good[:, None], values, view.default_row)
    return values, good


def ordered(scores: Sequence[Floats]) -> list[Ints]:
    """`by_score` of each of many: int64 [n], best first, ties as they came, NaN and infinity last."""
    if not scores:
        return []
    sizes = np.array([len(of) for of in scores], np.int64)
    packed = kernels.ranks(np.concatenate(scores).view(np.uint32), sizes, int(sizes.max()))
    packed.sort(axis=1)
    order = (packed & _LOW).astype(np.int64)
    return [row[:n] for row, n in zip(order, sizes.tolist(), strict=True)]
