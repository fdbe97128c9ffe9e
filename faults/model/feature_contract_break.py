from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from faults.base import Fault, FaultParams
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
    moves = (
        "mean and range, or default share, of some input columns of the ranker; calibration; CTR"
    )
    stays = "feature store health and ages; offline metrics; latency; errors"
    look_alikes = ("entity-key-mismatch", "default-masks-error", "bad-model-promoted")
    repairs = "revert the feature contract"

    class Params(FaultParams):
        mode: Literal["permuted", "not_onboarded"] = Field(
            "permuted", description="what is wrong with the listed columns"
        )
        features: tuple[str, ...] = Field(
            ("item_stats.ctr_28d", "item_stats.hide_rate", "item_stats.sens_score"),
            min_length=1, description="input columns, view.column",
        )  # fmt: skip

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        columns = list(call.payload.patches["ranking"]["contract"])
        listed = [c for c in columns if c in self.params.features]
        if self.params.mode == "not_onboarded":
            columns = [c for c in columns if c not in listed]
        else:
            taken_by = dict(zip(listed, [*listed[1:], *listed[:1]], strict=True))
            columns = [taken_by.get(c, c) for c in columns]
        return proceed(replace(call, payload=call.payload.patched("ranking", "contract", columns)))
