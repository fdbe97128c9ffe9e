"""Scoring with a version that serves nobody, in virtual time: as services.model.shadow.Beside, the same rows."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.base.config import Shadow
from sandbox.base.rows import Row, row_of
from sandbox.virtual.answers.later import Later
from sandbox.virtual.answers.request import Request
from sandbox.virtual.machine.cores import Process
from sandbox.virtual.machine.fabric import Context
from sandbox.virtual.processes.handlers.service import Service
from services.gateway.stages import Candidates
from services.model.beside import Likeness, compared
from services.ranking.core import Floats
from services.skeleton.context import lot


class Beside:
    """of: the model server. One request at a time in each instance: what comes while one is scored is left out. The
    thread that scores takes a core as any other, and nobody waits for it."""

    def __init__(self, of: Service) -> None:
        self._of = of
        self._threads: dict[str, Process] = {}  # by instance

    def offer(
        self, asked: Request, candidates: Later[Candidates], x: Later[Floats], said: Floats | None, n: int,
        context: Context,
    ) -> None:  # fmt: skip
        """A request that the live version has scored. said: by a wrapper, None: as the live version has it."""
        fabric, shadow = self._of.fabric, self._of.config().model.shadow
        if shadow is None or lot(context.trace_id) >= shadow.share:
            return
        thread = self._threads.setdefault(fabric.handled_by(context, "model").instance, Process("model"))
        if not thread.running:
            fabric.loop.spawn(self._score(shadow, thread, asked, candidates, x, said, n, context.trace_id))

    async def _score(
        self, shadow: Shadow, thread: Process, asked: Request, candidates: Later[Candidates], x: Later[Floats],
        said: Floats | None, n: int, request_id: str,
    ) -> None:  # fmt: skip
        of, content, fabric = self._of, self._of.content, self._of.fabric
        ts, began, live = of.now(), fabric.loop.now, of.config().model.ranker

        def compare() -> tuple[str, Likeness | None]:
            def score(version: str) -> Floats:
                return content.score(asked, candidates.get(), x.get(), version)

            return compared(score(live) if said is None else said, lambda: score(shadow.version))

        def row() -> Iterator[Row]:
            status, found = made.get()
            yield row_of.shadow_scores(
                ts=ts, request_id=request_id, live_version=live, shadow_version=shadow.version, status=status,
                n_items=len(candidates.get().ids), overlap_10=found and found.overlap, rank_corr=found and found.rank_corr,
                p_click_live=found and found.live, p_click_shadow=found and found.shadow, dur_ms=took_ms,
            )  # fmt: skip

        if fabric.record is not None:
            made = of.gathering.later(compare)
        await fabric.burst(thread, fabric.usual_seconds("model.forward", n))
        took_ms = (fabric.loop.now - began) * 1000
        if fabric.record is not None:
            of.note("model", "shadow_scores", row)
