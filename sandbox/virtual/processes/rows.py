"""Telemetry rows as the services write them (their server.py), in the column order of the schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sandbox.base.features import USER_PROFILE, USER_SESSION, FeatureView, Rows, Status
from sandbox.virtual.answers.content import Content
from sandbox.virtual.machine.fabric import Context
from services.features import core as features
from services.gateway.stages import UserRows
from services.ranking.core import Floats

Row = tuple[Any, ...]
_STATUS = {int(status): status.name for status in Status}


def feature_read(view: FeatureView, rows: Rows, now: float, context: Context) -> Row:
    return (now, context.trace_id, context.caller, view.name, *features.figures(rows, now))


def model_inputs(
    content: Content, x: Floats, stats: Rows | None, rows: UserRows, now: float, request_id: str
) -> Iterator[Row]:
    """One row per column, named as the model's manifest names it."""
    contract, names = content.loaded.contract, content.loaded.ranker.config.inputs
    if not len(x) or len(names) != x.shape[1]:
        return
    missing = 1.0 if stats is None else float(np.mean(stats.status != Status.PRESENT))
    absent = {
        "user_profile": float(np.array_equal(rows.profile, USER_PROFILE.default_row)),
        "user_session": float(np.array_equal(rows.session, USER_SESSION.default_row)),
        "item_stats": missing,
    }
    left_out = set(contract.absent)
    figures = zip(x.mean(0).tolist(), x.min(0).tolist(), x.max(0).tolist(), strict=True)
    for at, (name, filled, values) in enumerate(zip(names, contract.columns, figures, strict=True)):
        share = 1.0 if filled in left_out else absent.get(filled.split(".", 1)[0], 0.0)
        yield (
            now, request_id, content.model_version, contract.version, at, name, *values, share,
        )  # fmt: skip
