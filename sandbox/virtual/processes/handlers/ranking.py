"""Ranked candidates: item rows, inputs, scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.base.features import USER_PROFILE, USER_SESSION, Rows
from sandbox.base.rows import Row
from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.later import Later, known
from sandbox.virtual.answers.request import Answer, Request
from sandbox.virtual.machine.fabric import CallError, Context
from sandbox.virtual.processes import sizes, wires
from sandbox.virtual.processes.handlers.features import Features
from sandbox.virtual.processes.handlers.model import Model
from sandbox.virtual.processes.handlers.service import Service, chosen, there
from services.gateway.stages import Candidates, Ranked, UserRows
from services.ranking.core import Floats
from services.ranking.report import absent_shares, input_rows

NOTHING: Later[Any] = known(None)


@dataclass
class Ranking(Service):
    """Rank. features, model: what GetItems and Score are asked of."""

    features: Features
    model: Model

    async def rank(
        self, asked: Request, rows: UserRows, answer: Later[Answer], candidates: Later[Candidates],
        same: bool, context: Context,
    ) -> tuple[Later[Ranked], bool]:  # fmt: skip
        """The ranked candidates, and whether they are those of the batch. same: the candidates are."""
        fabric, content, later = self.fabric, self.content, self.gathering.later
        config, n = self.config(), content.n_wanted(asked)
        await fabric.work("ranking.Rank", context, n, share=0.3)
        if same:
            held = answer.then(lambda a: there(a.stats))
        else:
            held = later(lambda: self.store.items(candidates.get().ids, asked.now))
        stats: Later[Rows] | None = None
        try:
            stats = await fabric.call(
                "ranking", "features", "GetItems", config.ranking.features, context,
                lambda inner: self.features.get_items(candidates, held, n, inner), n_keys=n, size=sizes.get_items(n),
                wire=lambda: wires.GetItems(self.features, candidates, asked.now),
            )  # fmt: skip
        except CallError as failure:
            fabric.log("ranking", "warn", "item features missing", context, code=failure.code)
        same = same and stats is held
        given = NOTHING if stats is None else stats
        await fabric.work("ranking.Rank", context, n, share=0.6)
        if same:
            x = answer.then(lambda a: there(a.x))
        else:
            x = later(lambda: content.inputs(asked, rows, candidates.get(), given.get()))
        p: Later[Floats | None] = NOTHING
        try:
            changed: Floats | None = await fabric.call(
                "ranking", "model", "Score", config.ranking.model, context,
                lambda inner: self.model.score(asked, candidates, x, n, inner), n_keys=n, size=sizes.score(n, len(content.loaded.contract.columns)),
                wire=lambda: wires.Score(self.model, asked, candidates, x),
            )  # fmt: skip
            same = same and changed is None
            if changed is not None:
                p = known(changed)
            elif not same:
                p = later(lambda: content.score(asked, candidates.get(), x.get()))
        except CallError as failure:
            same = False
            fabric.log("ranking", "warn", "model did not score", context, code=failure.code)
        await fabric.work("ranking.Rank", context, n, share=0.1)
        if same:
            ranked = answer.then(lambda a: a.ranked)
        else:
            version = content.model_version(asked)
            ranked = later(lambda: content.rank(candidates.get(), given.get(), p.get(), rows, version=version))
        if fabric.record is not None and chosen(context, config.ranking.sample_share):
            now = self.now()
            self.note("ranking", "model_inputs", lambda: _model_inputs(
                content, x.get(), given.get(), rows, now, context.trace_id, ranked.get().model_version
            ) if ranked.get().model_version else ())  # fmt: skip
        return ranked, same


def _model_inputs(
    content: Content, x: Floats, stats: Rows | None, rows: UserRows, now: float, request_id: str, version: str
) -> Iterator[Row]:
    absent = absent_shares(
        np.array_equal(rows.profile, USER_PROFILE.default_row),
        np.array_equal(rows.session, USER_SESSION.default_row),
        None if stats is None else stats.status,
    )
    loaded = content.loaded
    ranker = loaded.rankers[version].model if version in loaded.rankers else loaded.ranker  # gone meanwhile
    return input_rows(
        x, absent, ranker.config.inputs, loaded.contract, ts=now, request_id=request_id,
        model_version=version,
    )  # fmt: skip
