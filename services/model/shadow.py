"""Scoring with a version that serves nobody: after the answer has gone out, in a thread, one request at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sandbox.base.config import Shadow
from sandbox.base.rows import row_of
from services.model.beside import compared
from services.model.core import Ranker, score
from services.skeleton.context import Context, lot
from services.skeleton.host import Host


class Beside:
    """Takes requests that were answered, and writes rows of `shadow_scores`. Nothing that happens in here reaches a
    caller: a request that comes while another is scored is left out, and an error is a row."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._running: asyncio.Task[None] | None = None

    def offer(
        self, shadow: Shadow, ranker: Ranker, live: str, users: NDArray[np.int64], items: NDArray[np.int64],
        inputs: NDArray[np.float32], p: NDArray[np.float32], context: Context,
    ) -> None:  # fmt: skip
        """One answered request. p: what the live version said, float32 [n, 3]."""
        busy = self._running is not None and not self._running.done()
        if busy or lot(context.trace_id) >= shadow.share:
            return
        self._running = asyncio.create_task(
            self._score(shadow.version, ranker, live, users, items, inputs, p, context.trace_id)
        )

    async def stop(self) -> None:
        """Waits for the request that is being scored."""
        if self._running is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._running), 1.0)

    async def _score(
        self, version: str, ranker: Ranker, live: str, users: NDArray[np.int64], items: NDArray[np.int64],
        inputs: NDArray[np.float32], p: NDArray[np.float32], request_id: str,
    ) -> None:  # fmt: skip
        ts, began = self.host.world.now(), self.host.wall.now()
        status, found = await asyncio.to_thread(compared, p, partial(score, ranker, users, items, inputs))
        self.host.telemetry.row("shadow_scores", row_of.shadow_scores(
            ts=ts, request_id=request_id, live_version=live, shadow_version=version, status=status,
            n_items=len(items), overlap_10=found and found.overlap, rank_corr=found and found.rank_corr,
            p_click_live=found and found.live, p_click_shadow=found and found.shadow,
            dur_ms=(self.host.wall.now() - began) * 1000,
        ))  # fmt: skip
