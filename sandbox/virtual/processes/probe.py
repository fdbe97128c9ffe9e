"""Recall probes of a virtual run: as services.retrieval.probe, without the background."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sandbox.base import artefacts
from sandbox.base.artefacts import FEATURES_VERSION
from sandbox.base.errors import SandboxError
from sandbox.base.rows import row_of
from sandbox.virtual.answers.content import Content
from sandbox.virtual.machine.fabric import Fabric
from sandbox.virtual.processes.recorder import Recorder
from services.retrieval.core import recall
from services.retrieval.index import Index
from services.retrieval.probe import N_SELF, Golden, index_row


class Probe:
    """Writes index_stats and recall_probe, for each instance of retrieval. One index and encoder are measured once: nothing else enters."""

    def __init__(self, content: Content, recorder: Recorder, fabric: Fabric) -> None:
        self.content, self.recorder, self.fabric = content, recorder, fabric
        try:
            self._golden = Golden.of(artefacts.find(content.registries, "features", FEATURES_VERSION))
        except SandboxError:
            self._golden = None
        self._measured = lru_cache(maxsize=32)(self._measure)

    def once(self, now: float) -> None:
        """now: world seconds."""
        for process in self.fabric.instances.of("retrieval"):
            self._of(process.instance, now)

    def _of(self, instance: str, now: float) -> None:
        index = self.content.loaded.index
        self.recorder("retrieval", "index_stats", index_row(index, now, instance))
        own, golden = self._measured(index.version, index.lists_searched, self.content.encoder_version)
        n_self = min(N_SELF, len(index.vectors))
        self._write(instance, now, index, index.encoder_version, "self", own, n_self)
        if golden is not None and self._golden is not None:
            n = len(self._golden.user)
            self._write(instance, now, index, self.content.encoder_version, "golden", golden, n)

    def _measure(self, version: str, searched: int, encoder: str) -> tuple[float, float | None]:
        """Shares found of the index's own vectors, and of the golden users' clicks (None without any)."""
        index, golden = self.content.loaded.index, self._golden
        step = max(1, len(index.vectors) // N_SELF)
        queries = np.ascontiguousarray(index.vectors[::step][:N_SELF])
        own = recall(index.nearest(queries), index.nearest_exactly(queries))
        if golden is None or not len(golden.user):
            return own, None
        vectors = self.content.encode_raw(golden.user, golden.profile, golden.recent)
        return own, recall(index.nearest(np.ascontiguousarray(vectors)), golden.held_out)

    def _write(
        self, instance: str, now: float, index: Index, encoder: str, probe_set: str, share: float, n: int
    ) -> None:
        self.recorder("retrieval", "recall_probe", row_of.recall_probe(
            ts=now, index_version=index.version, encoder_version=encoder, instance=instance,
            probe_set=probe_set, recall_at_50=share, n_queries=n,
        ))  # fmt: skip
