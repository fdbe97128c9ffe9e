"""What the ranker was given for a sampled request, as rows of model_inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION, Status
from sandbox.base.rows import Row, row_of
from services.ranking.core import Contract, Floats


def absent_shares(no_profile: bool, no_session: bool, stats_status: NDArray[np.uint8] | None) -> dict[str, float]:
    """By view, the share of candidates for which serving filled in its default row.

    stats_status: `Status` of each candidate's item_stats row, None where the store did not answer.
    """
    no_stats = 1.0 if stats_status is None else 0.0
    if stats_status is not None and len(stats_status):
        no_stats = float(np.mean(stats_status != Status.PRESENT))
    return {USER_PROFILE.name: float(no_profile), USER_SESSION.name: float(no_session), ITEM_STATS.name: no_stats}


def input_rows(
    x: Floats, absent: Mapping[str, float], names: Sequence[str], contract: Contract, *,
    ts: float, request_id: str, model_version: str,
) -> Iterator[Row]:  # fmt: skip
    """One row per column of x, float32 [candidates, columns]; none where it does not fit the names.

    absent: as `absent_shares` gives it. names: of the columns, as the model's manifest has them. ts: world
    seconds.
    """
    if not len(x) or len(names) != x.shape[1]:
        return
    left_out = set(contract.absent)
    figures = zip(x.mean(0).tolist(), x.min(0).tolist(), x.max(0).tolist(), strict=True)
    columns = zip(names, contract.columns, figures, strict=True)
    for at, (name, filled, (mean, least, most)) in enumerate(columns):
        share = 1.0 if filled in left_out else absent.get(filled.split(".", 1)[0], 0.0)
        yield row_of.model_inputs(
            ts=ts, request_id=request_id, model_version=model_version,
            contract_version=contract.version, position=at, feature=name, mean=mean, min=least,
            max=most, default_share=share,
        )  # fmt: skip
