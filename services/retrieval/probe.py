"""Recall probes: does the index find its own vectors, and does the production encoder find clicks?

The first stays green when the index was made by another encoder than the one that queries it; the
second does not. Both go on in the background and never fail a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.base.artefacts import Artefact
from sandbox.base.config import RetrievalConfig
from sandbox.base.errors import SandboxError
from sandbox.base.rows import Row, row_of
from services.proto.recsys.v1 import model_pb2
from services.retrieval.core import recall
from services.retrieval.index import Index
from services.skeleton.client import Callee
from services.skeleton.host import Host

N_AT_ONCE = 4  # golden users that are encoded together: few enough that nobody's request waits for them
N_SELF = 64  # of the index's own vectors used as queries
MIN_WALL_S = 2.0  # between two probes, or a fast world clock would leave time for nothing else


@dataclass(frozen=True)
class Golden:
    """A fixed sample of users whose latest clicks were held out.

    user: int64 [n]; profile: float32 [n, columns of user_profile]; recent: int64 [n, 20], clicks
    before the held-out ones, newest first, -1 none; held_out: int64 [n, m], -1 none.
    """

    user: np.ndarray
    profile: np.ndarray
    recent: np.ndarray
    held_out: np.ndarray

    @classmethod
    def of(cls, artefact: Artefact) -> Golden | None:
        """From the features artefact; None for one that brings no golden set. Raises MODEL-002."""
        if "golden.safetensors" not in artefact.manifest.files:
            return None
        arrays = artefact.arrays("golden.safetensors")
        return cls(**{name: arrays[name] for name in ("user", "profile", "recent", "held_out")})


class Probe:
    """Writes `index_stats` and `recall_probe` every `probe_every_s` world seconds."""

    def __init__(self, host: Host, model: Callee, current: Callable[[], tuple[Index | None, RetrievalConfig]]) -> None:
        self.host, self.model, self.current = host, model, current
        self._exact: tuple[Index, np.ndarray] | None = None  # what there is to find in that index
        self._reached = False  # the model answered once; before that it may still be starting

    async def run(self, golden: Golden | None) -> None:
        while True:
            index, config = self.current()
            if index is not None:
                await self.once(index, config, golden)
            world = self.host.world
            every_s = max(config.probe_every_s, MIN_WALL_S * self.host.run.speed)
            await world.wait_until(world.now() + every_s)

    async def once(self, index: Index, config: RetrievalConfig, golden: Golden | None) -> None:
        now, instance = self.host.world.now(), self.host.instance
        self.host.telemetry.row("index_stats", index_row(index, now, instance))
        step = max(1, len(index.vectors) // N_SELF)
        queries = np.ascontiguousarray(index.vectors[::step][:N_SELF])
        found = await asyncio.to_thread(index.nearest, queries)
        if self._exact is None or self._exact[0].vectors is not index.vectors:
            self._exact = index, await asyncio.to_thread(index.nearest_exactly, queries)
        self._write(now, index, index.encoder_version, "self", recall(found, self._exact[1]), len(queries))
        if golden is None or not len(golden.user):
            return
        try:
            vectors, encoder_version = await self._encode(golden, config)
            found = await asyncio.to_thread(index.nearest, vectors)
        except (SandboxError, AssertionError, ValueError) as error:
            if self._reached:
                self.host.telemetry.log("warn", "probe failed", error=str(error)[:200])
            return
        self._reached = True
        share = recall(found, golden.held_out)
        self._write(now, index, encoder_version, "golden", share, len(golden.user))

    async def _encode(self, golden: Golden, config: RetrievalConfig) -> tuple[np.ndarray, str]:
        """Vectors float32 [n, dim] of the golden users by the encoder that serves, and its version."""
        answers: list[Any] = []
        for first in range(0, len(golden.user), N_AT_ONCE):
            rows = range(first, min(first + N_AT_ONCE, len(golden.user)))
            asked = [self.model.call("EncodeUser", _request(golden, row), config.model) for row in rows]
            answers += await asyncio.gather(*asked)
        return np.stack([np.frombuffer(answer.vector, "<f4") for answer in answers]), answers[-1].encoder_version

    def _write(self, now: float, index: Index, encoder: str, probe_set: str, share: float, n: int) -> None:
        self.host.telemetry.row("recall_probe", row_of.recall_probe(
            ts=now, index_version=index.version, encoder_version=encoder,
            instance=self.host.instance, probe_set=probe_set, recall_at_50=share, n_queries=n,
        ))  # fmt: skip


def _request(golden: Golden, row: int) -> Any:
    known = golden.recent[row]
    return model_pb2.EncodeUserRequest(
        user_id=int(golden.user[row]),
        profile=golden.profile[row].astype("<f4").tobytes(),
        recent=known[known >= 0].astype("<i8").tobytes(),
    )


def index_row(index: Index, now: float, instance: str) -> Row:
    """A row of index_stats. now: world seconds."""
    return row_of.index_stats(
        ts=now, index_version=index.version, encoder_version=index.encoder_version,
        instance=instance, ntotal=int(index.faiss_index.ntotal), nlist=index.lists,
        nprobe=index.lists_searched, metric="ip",
    )  # fmt: skip
