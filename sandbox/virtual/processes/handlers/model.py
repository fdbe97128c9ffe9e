"""The model server: vectors of users and scores, and the batches in which they are made."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.base.config import Beat
from sandbox.base.rows import row_of
from sandbox.virtual.answers.later import Later
from sandbox.virtual.answers.request import Request
from sandbox.virtual.machine.fabric import CallError, Context
from sandbox.virtual.processes.handlers.beside import Beside
from sandbox.virtual.processes.handlers.service import Service
from services.gateway.stages import Candidates, UserRows
from services.ranking.core import Floats
from services.skeleton.seams import Call


@dataclass
class Batches:
    """Of one model process, wall seconds. ended: its latest batch; at: when the one that gathers begins. beat_at: of
    batches by a beat, when the last one that somebody waits for goes; joined: calls that it takes so far."""

    ended: float = float("-inf")
    at: float = float("-inf")
    beat_at: float = float("-inf")
    joined: int = 0

    def place(self, now: float, beat: Beat) -> float:
        """Takes the next place in line; when its batch goes."""
        every_s = beat.every_ms / 1000
        if now >= self.beat_at:
            self.beat_at, self.joined = now + every_s, 0
        elif self.joined >= beat.calls:
            self.beat_at, self.joined = self.beat_at + every_s, 0
        self.joined += 1
        return self.beat_at


@dataclass
class Model(Service):
    """EncodeUser and Score."""

    _batches: defaultdict[str, Batches] = field(default_factory=lambda: defaultdict(Batches))  # by instance

    def __post_init__(self) -> None:
        self.beside = Beside(self)

    async def encode_user(self, asked: Request, rows: UserRows, context: Context) -> Floats | None:
        """None: as the batch has it. A vector where the model seam is armed."""
        await self.fabric.work("model.EncodeUser", context)
        seam = self.fabric.seams["model"].model
        if not seam:
            return None
        given = self.content.encoder_inputs([asked], [rows])
        call = _model_call("EncodeUser", self.content.encoder_version, given, context)

        async def proceed(c: Call) -> Floats:
            return self.content.encode_raw(*c.payload)

        vectors: Floats = await self.fabric.through(seam, call, proceed)
        return vectors[0]

    async def score(
        self, asked: Request, candidates: Later[Candidates], x: Later[Floats], n: int, context: Context
    ) -> Floats | None:
        """None: what the model makes of the inputs. Its answer where the model seam is armed."""
        fabric, content, loop = self.fabric, self.content, self.fabric.loop
        await fabric.work("model.Score", context)
        began, loaded = loop.now, content.loaded  # a call ends with what was in force when it came
        version = loaded.ranker_of(context.user, asked.now)
        instance = fabric.handled_by(context, "model").instance
        batches = self._batches[instance]
        await self._join_batch(batches)
        waited_ms = (loop.now - began) * 1000
        await fabric.work("model.forward", context, n)
        batches.ended = loop.now
        if fabric.record is not None:
            fabric.record("model", "spans", row_of.spans(
                ts=fabric.world.began_ts + began * fabric.world.speed, trace_id=context.trace_id,
                span_id=fabric.span(), parent_id=context.span_id, service="model",
                instance=instance, op="forward", kind="internal", peer=version,
                dur_ms=(loop.now - began) * 1000, queue_ms=waited_ms, status="OK", n_keys=n,
                batch_size=n,
            ))  # fmt: skip
        if not loaded.scorable(version):
            raise CallError("MODEL-003")
        seam = fabric.seams["model"].model
        scored: Floats | None = None
        if seam:
            given = content.score_inputs(asked, candidates.get(), x.get())
            call = _model_call("Score", version, given, context)

            async def proceed(c: Call) -> Floats:
                return loaded.score(version, *c.payload)

            scored = await fabric.through(seam, call, proceed)
        if version == self.config().model.ranker:
            self.beside.offer(asked, candidates, x, scored, n, context)
        return scored

    async def _join_batch(self, batches: Batches) -> None:
        """A job that finds the model busy waits for company, no longer than the configuration says."""
        loop, config = self.fabric.loop, self.config().model
        if config.beat is not None:
            await loop.sleep_until(batches.place(loop.now, config.beat))
            return
        longest = config.max_wait_ms / 1000
        if loop.now >= batches.at and loop.now - batches.ended >= longest:
            return
        if loop.now >= batches.at:  # opens the next batch
            batches.at = loop.now + longest
        await loop.sleep_until(batches.at)


def _model_call(op: str, version: str, payload: tuple[Any, ...], context: Context) -> Call:
    return Call(
        "model", "model", version, op, context.user, context.session, context.depth, context.region,
        payload=tuple(map(np.array, payload)),
    )  # fmt: skip
