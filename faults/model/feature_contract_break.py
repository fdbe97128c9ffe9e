from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, field_validator

from faults.base import Fault, FaultParams
from services.ranking.core import INPUTS
from services.skeleton.seams import Call, ProceedSync


class FeatureContractBreak(Fault):
    """Release a feature contract by which serving builds the model's inputs otherwise than training did.

    permuted: the listed columns change places (each takes the next one's). not_onboarded: the listed
    columns are never filled and hold their default. Precedent: features in training logs that were
    never onboarded to serving, and rollbacks to a model whose features were gone (FAULTS.md).
    """

    name = "feature-contract-break"
    layer = "model"
    seam = "release"
    needs = ("ranking.contract",)
    moves = "mean and range, or default share, of some input columns of the ranker; calibration; CTR"
    stays = "feature store health and ages; offline metrics; latency; errors"
    look_alikes = ("entity-key-mismatch", "default-masks-error", "bad-model-promoted")
    repairs = "revert the feature contract"

    class Params(FaultParams):
        mode: Literal["permuted", "not_onboarded"] = Field(
            "permuted", description="what is wrong with the listed columns"
        )
        features: tuple[str, ...] = Field(
            ("item_stats.ctr_28d", "item_stats.hide_rate", "item_stats.sens_score"),
            min_length=1,
            description="input columns, view.column",
        )

        @field_validator("features")
        @classmethod
        def _there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            if unknown := sorted(set(names) - set(INPUTS)):
                near = difflib.get_close_matches(unknown[0], INPUTS, n=3)
                guess = f"; did you mean {' or '.join(near)}?" if near else ""
                raise ValueError(f"{unknown[0]!r} is no input of the ranker{guess}")
            return names

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.mode == "permuted" and len(set(params.features)) < 2:
            return "features: one column alone has nobody to change places with"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        columns = list(call.payload.patches["ranking"]["contract"])
        listed = [c for c in columns if c in self.params.features]
        if self.params.mode == "not_onboarded":
            columns = [c for c in columns if c not in listed]
        else:
            taken_by = dict(zip(listed, [*listed[1:], *listed[:1]], strict=True))
            columns = [taken_by.get(c, c) for c in columns]
        return proceed(replace(call, payload=call.payload.patched("ranking", "contract", columns)))
