"""How fast the virtual backend's content is, beside its floor in the same process.

The floor is what no recommender of this kind can leave out: per batch one faiss search, one forward
pass of each of the two models and the gathers of their inputs, for 200 candidates a request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from sandbox.base import artefacts
from sandbox.base.artefacts import Artefact
from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.features import ITEM_STATS, N_RECENT, SEGMENTS, USER_SESSION, Rows, Status, segment_codes
from sandbox.base.streams import stream, uniforms
from sandbox.virtual.answers.content import Content, Request
from services.gateway.stages import UserRows
from services.ranking.core import INPUTS

N_CANDIDATES = 200
_RECENT_FROM = USER_SESSION.columns.index("recent_00")


class OfflineRows:
    """Feature rows as the pipeline left them in the `features` artefact, in place of a store."""

    def __init__(self, artefact: Artefact) -> None:
        arrays = artefact.arrays("features.safetensors")
        self.at_ts = artefact.manifest.created_ts
        self.stats = arrays["item_stats"]
        self.profiles, self.sessions, self.seen = (
            arrays[name] for name in ("user_profile", "user_session", "user_seen")
        )
        self.profile_row = {u: i for i, u in enumerate(arrays["user_id"].tolist())}
        self.stream_row = {u: i for i, u in enumerate(arrays["stream_user_id"].tolist())}

    def user(self, user: int) -> UserRows:
        rows = UserRows.unknown()
        if (at := self.profile_row.get(user)) is not None:
            rows.profile = self.profiles[at]
            rows.segment = SEGMENTS[int(segment_codes(rows.profile[0]))]
        if (at := self.stream_row.get(user)) is not None:
            rows.session = self.sessions[at]
            recent = rows.session[_RECENT_FROM : _RECENT_FROM + N_RECENT].astype(np.int64)
            seen = self.seen[at].astype(np.int64)
            rows.recent, rows.seen = recent[recent >= 0], seen[seen >= 0]
        return rows

    def items(self, ids: np.ndarray, now: float) -> Rows:
        n = len(ids)
        status = np.full(n, Status.PRESENT, np.uint8)
        return Rows(self.stats[ids], np.full(n, self.at_ts), status, np.ones(n, np.uint64))


def asked_by(catalogue: Catalogue, n: int, now: float, seed: int, k: int = 10) -> list[Request]:
    """n requests of users drawn with repetition, each in a visit of its own."""
    users = (uniforms(seed, "bench/virtual", np.arange(n)) * catalogue.n_users).astype(np.int64)
    return [
        Request(u, i + 1, 1, int(catalogue.user_region[u]), k, bool(catalogue.user_personalised[u]), now)
        for i, u in enumerate(users.tolist())
    ]


def loaded(world: Path, registries: Sequence[Path] = (), seed: int = 1) -> tuple[Content, OfflineRows]:
    """A world's content with the default configuration, and its offline rows. Raises MODEL-001, -002."""
    places = (*registries, world / "registry")
    content = Content(world, places, seed)
    content.configure(Config())
    return content, OfflineRows(artefacts.find(places, "features", artefacts.FEATURES_VERSION))


def floor_per_s(content: Content, batch: int, n_batches: int) -> float:
    """Recommendations per CPU second of the bare calls."""
    held, catalogue = content.loaded, content.catalogue
    rng = stream(1, "bench/floor")  # any numbers will do: their values change no time
    n_rows = batch * N_CANDIDATES
    users = rng.integers(0, catalogue.n_users, batch)
    profiles = torch.from_numpy(rng.random((batch, 36), np.float32))
    recent = torch.from_numpy(rng.integers(0, catalogue.n_items, (batch, N_RECENT)))
    items = rng.integers(0, catalogue.n_items, n_rows)
    stats = rng.random((catalogue.n_items, len(ITEM_STATS.columns)), np.float32)
    own = rng.random((batch, len(INPUTS) - stats.shape[1]), np.float32)
    user_row = torch.from_numpy(users + 1)

    @torch.inference_mode()
    def once() -> None:
        vectors = held.tower.users(user_row, profiles, recent).numpy()
        held.index.faiss_index.search(vectors, held.config.retrieval.quotas["ann"])
        x = np.concatenate([np.repeat(own, N_CANDIDATES, axis=0), stats[items]], axis=1)
        rows = torch.from_numpy(np.repeat(users, N_CANDIDATES) + 1)
        torch.sigmoid(held.ranker(rows, torch.from_numpy(items + 1), torch.from_numpy(x)))

    return batch / _seconds(once, n_batches)


def content_per_s(content: Content, offline: OfflineRows, batch: int, n_batches: int, seed: int = 1) -> float:
    """Recommendations per CPU second of `Content.healthy`, over requests that are not repeated."""
    asked = asked_by(content.catalogue, batch * (n_batches + 1), offline.at_ts, seed)
    rows = [offline.user(a.user) for a in asked]
    parts = iter(range(0, len(asked), batch))

    def once() -> None:
        at = next(parts)
        content.healthy(asked[at : at + batch], rows[at : at + batch], offline.items)

    return batch / _seconds(once, n_batches)


def _seconds(once: Callable[[], None], n: int) -> float:
    """CPU seconds of one call, the mean of n after one that is not counted: everything here runs in one
    thread, and what else the machine does should not count."""
    once()
    began = time.process_time()
    for _ in range(n):
        once()
    return (time.process_time() - began) / n
