"""What the stack answers, for many requests at once: the services' cores, without the wire between them.

`Content.healthy` computes a whole batch. Its stages can also be called for one request alone, for a
request of which something deviates: they give the same numbers, whatever else is in the batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import N_RECENT, USER_PROFILE, USER_SESSION, Rows, Status
from sandbox.virtual.answers.content_batch import NAMES, Batch, finite
from sandbox.virtual.answers.inputs import InputBuilder
from sandbox.virtual.answers.loaded import Loaded, Sources, load
from sandbox.virtual.answers.request import Answer, ItemRows, Request
from services.gateway.core import by_score, popular_items, safe_items
from services.gateway.stages import Candidates, Ranked, UserRows
from services.ranking.core import OBJECTIVES, Floats, Ints, assemble, combine
from services.ranking.server import PRIOR, fit_for_use, no_rows
from services.retrieval.core import IMPERSONAL, NOTHING, SOURCES, Found, Merged, Shelves, allotted, merge, top_up
from services.retrieval.many import Shelf
from services.rules.core import Slate, Visit, apply
from services.rules.server import topic_names

CHUNK = 32  # requests computed side by side, about: their tables still fit into the second cache


class Content:
    """The public catalogue and the artefacts of a registry, with one configuration in force."""

    def __init__(self, world_dir: Path, registries: tuple[Path, ...], seed: int) -> None:
        torch.set_num_threads(1)  # batches are small, and the other core has an arm of its own
        self.world_dir, self.registries, self.seed = world_dir, registries, seed
        self.catalogue = Catalogue.load(world_dir / "public" / "catalogue.npz")
        self.topics = topic_names(world_dir)
        self.shelves = Shelves(self.catalogue)
        self.builder = InputBuilder(self.catalogue)
        self.restock(Sources.of(registries))
        self._loaded: Loaded | None = None

    def restock(self, sources: Sources) -> None:
        """Answers from these lists of the batch jobs from now on."""
        self.sources = sources
        self.shelf = Shelf(self.shelves, sources.covisit, sources.popular)
        self.stand_ins = popular_items(sources.popular_items, self.catalogue)

    def configure(self, config: Config) -> None:
        """Loads what the configuration names, then switches. Raises what the services raise on reload
        (MODEL-001 to -003, CFG-001, CFG-003) and then stays as it was."""
        self._loaded = load(
            config.model_copy(deep=True), self._loaded, self.registries, self.catalogue, self.topics, self.seed
        )

    @property
    def loaded(self) -> Loaded:
        assert self._loaded is not None, "configure comes first"
        return self._loaded

    @property
    def encoder_version(self) -> str:
        return self.loaded.config.model.two_tower

    def model_version(self, asked: Request) -> str:
        """The ranker that answers this request."""
        return self.loaded.ranker_of(asked.user, asked.now)

    @property
    def index_version(self) -> str:
        return self.loaded.index.version

    @property
    def contract_version(self) -> str:
        return self.loaded.contract.version

    @property
    def rules_version(self) -> str:
        return self.loaded.config.rules.version

    # -- all stages ------------------------------------------------------------------------------

    def healthy(self, asked: Sequence[Request], rows: Sequence[UserRows], item_rows: ItemRows) -> list[Answer]:
        """The answers when every stage answers in time. item_rows: rows of `item_stats` for ids, as the
        store gives them at world times. A request without consent is answered without its rows."""
        rows = [r if a.personalised else UserRows.unknown() for a, r in zip(asked, rows, strict=True)]
        by_depth: dict[int, list[int]] = {}
        for i, a in enumerate(asked):
            by_depth.setdefault(self.n_wanted(a), []).append(i)
        out: dict[int, Answer] = {}
        for n_wanted, group in by_depth.items():
            parts = np.array_split(group, max(1, round(len(group) / CHUNK)))
            for at in (part.tolist() for part in parts):
                batch = Batch(
                    self.shelf, self.sources, self.builder, self.loaded, [asked[i] for i in at],
                    [rows[i] for i in at], n_wanted,
                )  # fmt: skip
                for i, answer in zip(at, batch.answers(item_rows), strict=True):
                    out[i] = answer or self._alone(asked[i], rows[i], item_rows)
        return [out[i] for i in range(len(asked))]

    def _alone(self, asked: Request, rows: UserRows, item_rows: ItemRows) -> Answer:
        """The answer to a request for which no source has anything."""
        found, candidates = self.retrieve(asked, rows, None, False)
        stats = item_rows(candidates.ids, asked.now)
        x, p = self.inputs(asked, rows, candidates, stats), None
        with contextlib.suppress(SandboxError):
            p = self.score(asked, candidates, x)
        ranked = self.rank(candidates, stats, p, rows, version=self.model_version(asked))
        slate = self.apply_rules(asked, rows, candidates, ranked)
        return Answer(rows, lambda: found, candidates, stats, x, p, ranked, slate)

    # -- retrieval -------------------------------------------------------------------------------

    def ann_depth(self, asked: Request) -> int:
        """Items that retrieval asks of the index for this request; 0: it does not ask."""
        return self.asked_of(asked).get("ann", 0)

    def encoder_inputs(self, asked: Sequence[Request], rows: Sequence[UserRows]) -> tuple[Ints, Floats, Ints]:
        """What the model's EncodeUser gets: users [n], profiles [n, 36], recent clicks [n, 20]."""
        recent = np.full((len(rows), N_RECENT), -1, np.int64)
        for row, of in zip(recent, rows, strict=True):
            row[: len(of.recent)] = of.recent
        profiles = np.array([r.profile for r in rows], np.float32).reshape(len(rows), -1)
        return np.array([a.user for a in asked], np.int64), finite(profiles), recent

    def encode(self, asked: Request, rows: UserRows) -> Floats:
        """The user's query vector, float32 [dim]."""
        return self.encode_raw(*self.encoder_inputs([asked], [rows]))[0]

    def encode_raw(self, users: Ints, profiles: Floats, recent: Ints) -> Floats:
        """float32 [n, dim] from `encoder_inputs`, changed or not. Raises MODEL-003."""
        return self.loaded.encoder(users, profiles, recent)

    def search(self, vector: Floats, n: int) -> Found:
        """The n nearest items of the index in force. Raises MODEL-003."""
        return self.loaded.index.search(vector, n)

    def asked_of(self, asked: Request) -> dict[str, int]:
        """The candidate sources that this request asks, and for how many items each."""
        quota = allotted(self.loaded.config.retrieval.quotas, self.n_wanted(asked))
        return {source: quota[source] for source in self._wanted(asked) if quota[source]}

    def retrieve(
        self, asked: Request, rows: UserRows, ann: Found | None, ann_failed: bool
    ) -> tuple[dict[str, Found], Candidates]:
        """The sources' visible items and their merge. ann: what the index found, None where it was not
        asked or failed."""
        others = {s: self.plain(s, asked, rows, n) for s, n in self.asked_of(asked).items() if s != "ann"}
        first = {} if ann is None else {"ann": ann}
        return self.merged(asked, {**first, **others}, ann_failed, ann is not None)

    def merged(
        self, asked: Request, given: Mapping[str, Found | None], failed: bool, searched: bool
    ) -> tuple[dict[str, Found], Candidates]:
        """The same of what each source gave; None: it could not. failed: another could not, which is not among them.
        searched: the index was."""
        found = {source: answer for source, answer in given.items() if answer is not None}
        failed = failed or len(found) < len(given)
        n_wanted = self.n_wanted(asked)
        for source, answer in found.items():
            visible = self.shelves.visible(answer.ids, asked.now)
            if not visible.all():
                found[source] = Found(answer.ids[visible], answer.scores[visible])
        merged = merge(found, n_wanted)
        if len(merged.ids) < n_wanted and "popular" in self._wanted(asked) and self.sources.popular:
            deeper = self.sources.popular[asked.region].ids
            deeper = deeper[self.shelves.visible(deeper, asked.now)]
            merged = top_up(merged, Found(deeper, NOTHING.scores), n_wanted)
        return found, self._candidates(asked, merged, searched, failed)

    def popular_candidates(self, asked: Request) -> Candidates:
        """The gateway's stand-in where retrieval does not answer, or finds nothing."""
        return Candidates.popular(self.stand_ins[asked.region][: self.n_wanted(asked)])

    # -- ranking ---------------------------------------------------------------------------------

    def inputs(self, asked: Request, rows: UserRows, candidates: Candidates, stats: Rows | None) -> Floats:
        """The ranker's matrix by the contract in force, float32 [n, columns]."""
        stats = no_rows(len(candidates.ids)) if stats is None else stats
        (profile, _), (session, _) = _fit(rows)
        return assemble(
            profile, session, stats.values, candidates.ids, stats.status, self.catalogue, self.loaded.contract
        )

    def score_inputs(self, asked: Request, candidates: Candidates, x: Floats) -> tuple[Ints, Ints, Floats]:
        """What the model's Score gets: users [n], items [n] and finite inputs [n, columns]."""
        user = asked.user if asked.personalised else -1
        return np.full(len(candidates.ids), user, np.int64), candidates.ids, finite(x)

    def score(self, asked: Request, candidates: Candidates, x: Floats, version: str | None = None) -> Floats:
        """Probabilities float32 [n, 3]. version: of the ranker, None for the one that answers the request. Raises
        MODEL-003 where the contract has other columns than the model, WIRE-001 for no candidates: ranking falls back
        then."""
        return self.loaded.score(version or self.model_version(asked), *self.score_inputs(asked, candidates, x))

    def rank(
        self, candidates: Candidates, stats: Rows | None, probabilities: Floats | None, rows: UserRows | None = None,
        *, version: str,
    ) -> Ranked:  # fmt: skip
        """The order of the candidates. Without usable probabilities the items' own click rate orders them;
        rows: marks the answer as fallen back where a row is not finite. version: that gave the probabilities."""
        n = len(candidates.ids)
        fell_back = stats is None or (rows is not None and not all(ok for _, ok in _fit(rows)))
        stats = no_rows(n) if stats is None else stats
        usable = _usable(probabilities, n, self.loaded.config.ranking.nonfinite == "fall_back")
        if usable is None:
            p = np.zeros((n, len(OBJECTIVES)), np.float32)
            scores = stats.values[:, PRIOR] * self.loaded.weights[0]
        else:
            p, scores = usable, combine(usable, self.loaded.weights)
        missing = np.count_nonzero(stats.status != Status.PRESENT) / max(n, 1)
        return Ranked(
            by_score(scores), scores, p[:, 0], version if usable is not None else "",
            missing, fell_back or usable is None, p,
        )  # fmt: skip

    # -- rules -----------------------------------------------------------------------------------

    def apply_rules(self, asked: Request, rows: UserRows, candidates: Candidates, ranked: Ranked) -> Slate:
        """The slate by the policy in force; its rows index `ranked.order`."""
        order = ranked.order
        visit = Visit(asked.user, asked.region, asked.session, asked.depth)
        return apply(
            self.loaded.policy, visit, candidates.ids[order], ranked.scores[order], rows.seen, asked.k, asked.now
        )

    def safe_slate(self, asked: Request) -> Ints:
        """int64 [<= k]: the gateway's stand-in where the rules do not answer."""
        return safe_items(
            self.stand_ins[asked.region], self.catalogue, user=asked.user, region=asked.region, now=asked.now, k=asked.k
        )

    # -- within retrieval ------------------------------------------------------------------------

    def n_wanted(self, asked: Request) -> int:
        """Candidates that retrieval is asked for."""
        return asked.n_wanted or max(self.loaded.config.gateway.n_candidates, asked.k)

    def _wanted(self, asked: Request) -> list[str]:
        disabled = self.loaded.config.retrieval.disabled
        return [s for s in (SOURCES if asked.personalised else IMPERSONAL) if s not in disabled]

    def plain(self, source: str, asked: Request, rows: UserRows, n: int) -> Found | None:
        """A source that needs no other service; None when its artefact is not there."""
        if source == "covisit":
            return self.sources.covisit.find(rows.recent, n) if self.sources.covisit is not None else None
        if source == "popular":
            return self.sources.popular[asked.region].first(n) if self.sources.popular else None
        if source == "followed":
            return self.shelves.followed(self.catalogue.follows(asked.user), n, asked.now)
        return self.shelves.fresh(n, asked.now, asked.region, int(self.catalogue.user_language[asked.user]))

    def _candidates(self, asked: Request, merged: Merged, by_index: bool, failed: bool) -> Candidates:
        if not len(merged.ids):
            return replace(self.popular_candidates(asked), failed=True)
        return Candidates(
            merged.ids, merged.scores, merged.sources.tobytes(), NAMES,
            self.encoder_version if by_index else "", self.index_version if by_index else "", failed,
        )  # fmt: skip


def _fit(rows: UserRows) -> tuple[tuple[Floats, bool], tuple[Floats, bool]]:
    """Profile and session as ranking uses them: rows with NaN or infinity become default rows."""
    return fit_for_use(USER_PROFILE, rows.profile), fit_for_use(USER_SESSION, rows.session)


def _usable(probabilities: Floats | None, n: int, strict: bool) -> Floats | None:
    """The model's answer if ranking can use it. strict: not with a NaN or infinity among it."""
    if probabilities is None or probabilities.shape != (n, len(OBJECTIVES)) or not n:
        return None
    return None if strict and not np.isfinite(probabilities).all() else probabilities
