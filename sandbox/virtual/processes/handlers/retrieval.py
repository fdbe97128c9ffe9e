"""Candidates: of the batch, or of each source where a seam is armed on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.virtual.answers.later import Later
from sandbox.virtual.answers.request import Answer, Request
from sandbox.virtual.machine.fabric import CallError, Context
from sandbox.virtual.processes import sizes, wires
from sandbox.virtual.processes.handlers.model import Model
from sandbox.virtual.processes.handlers.service import Service, chosen
from services.gateway.stages import Candidates, UserRows
from services.ranking.core import Floats
from services.retrieval.core import Found
from services.retrieval.server import candidate_rows
from services.skeleton.seams import Call


@dataclass
class Retrieval(Service):
    """Retrieve. model: what EncodeUser is asked of."""

    model: Model

    async def retrieve(
        self, asked: Request, rows: UserRows, answer: Later[Answer] | None, context: Context
    ) -> tuple[Later[Candidates], bool]:
        """The candidates, and whether they are those of the batch. rows: what the gateway has of the user. answer:
        the batch's, None for a request that is none of it."""
        fabric, content, config = self.fabric, self.content, self.config()
        await fabric.work("retrieval.Retrieve", context, share=0.25)
        depth, ann, failed = content.ann_depth(asked), None, False
        given: dict[str, Found | None] | None = None
        searched = False
        if fabric.seams["retrieval"].source:
            given, searched = await self._from_each(asked, rows, context)
        elif depth:
            try:
                ann = await self._ann(asked, rows, depth, context)
                if ann is None and answer is None:
                    ann = content.search(content.encode(asked, rows), depth)
            except CallError as failure:
                failed = True
                fabric.log("retrieval", "warn", "source failed", context, source="ann", code=failure.code)
        await fabric.work("retrieval.Retrieve", context, share=0.75)
        if same := answer is not None and ann is None and not failed and given is None:
            assert answer is not None
            found = answer.then(lambda a: a.found)
            candidates = answer.then(lambda a: a.candidates)
        else:
            both = self.gathering.later(
                lambda: (
                    content.retrieve(asked, rows, ann, failed)
                    if given is None
                    else content.merged(asked, given, False, searched)
                )
            )
            found, candidates = both.then(lambda b: b[0]), both.then(lambda b: b[1])
            if given is not None or fabric.seams["retrieval"].index:
                both.get()  # what cannot be merged fails this call, and not who reads it later
        if fabric.record is not None and chosen(context, config.retrieval.sample_share):
            now = self.now()
            self.note("retrieval", "candidates", lambda: candidate_rows(found.get(), now, context.trace_id))
        return candidates, same

    async def _from_each(
        self, asked: Request, rows: UserRows, context: Context
    ) -> tuple[dict[str, Found | None], bool]:
        """What each source gives through an armed seam, None where it failed; and whether the index was searched."""
        fabric, given, called = self.fabric, dict[str, Found | None](), set[str]()
        for source, n in self.content.asked_of(asked).items():
            call = Call(
                "source", "retrieval", source, "find", context.user, context.session, context.depth,
                context.region, payload=n,
            )  # fmt: skip

            async def proceed(c: Call) -> tuple[np.ndarray, np.ndarray]:
                nearest = await self._of_source(c.peer, asked, rows, c.payload, context)
                called.add(c.peer)
                return nearest.ids, nearest.scores

            try:
                given[source] = Found(*await fabric.through(fabric.seams["retrieval"].source, call, proceed))
            except CallError as failure:
                given[source] = None
                fabric.log("retrieval", "warn", "source failed", context, source=source, code=failure.code)
        return given, "ann" in called

    async def _of_source(self, source: str, asked: Request, rows: UserRows, n: int, context: Context) -> Found:
        content = self.content
        if source == "ann":
            ann = await self._ann(asked, rows, n, context)
            return content.search(content.encode(asked, rows), n) if ann is None else ann
        found = content.plain(source, asked, rows, n)
        if found is None:
            raise CallError("WIRE-005")
        return found

    async def _ann(self, asked: Request, rows: UserRows, depth: int, context: Context) -> Found | None:
        """What the index found where a seam is armed on the way; None: as the batch has it."""
        fabric, content = self.fabric, self.content
        vector: Floats | None = await fabric.call(
            "retrieval", "model", "EncodeUser", self.config().retrieval.model, context,
            lambda inner: self.model.encode_user(asked, rows, inner), size=sizes.encode_user(len(rows.recent)),
            wire=lambda: wires.EncodeUser(self.model, asked, rows),
        )  # fmt: skip
        seam = fabric.seams["retrieval"].index
        if vector is None and not seam:
            return None
        if vector is None:
            vector = content.encode(asked, rows)
        if not seam:
            return content.search(vector, depth)
        call = Call(
            "index", "retrieval", content.index_version, "search", context.user, context.session,
            context.depth, context.region, payload=np.array(vector),
        )  # fmt: skip

        async def proceed(c: Call) -> tuple[np.ndarray, np.ndarray]:
            nearest = content.search(c.payload, depth)
            return nearest.ids, nearest.scores

        return Found(*await fabric.through(seam, call, proceed))
