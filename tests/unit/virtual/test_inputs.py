"""The ranker's matrix of a batch is the one that ranking builds."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION, Rows, Status
from sandbox.virtual.answers.inputs import InputBuilder
from services.ranking.core import CROSSES, INPUTS, Contract, assemble_rows
from tests.services.harness import N_ITEMS, catalogue

CATALOGUE = catalogue()
CROSS = [f"cross.{name}" for name in CROSSES]
N = 9  # requests


@pytest.fixture
def batch():
    """Rows of users with clicks of known and unknown items, one of them with no session at all."""
    rng = np.random.default_rng(1)
    profile = rng.random((N, len(USER_PROFILE.columns))).astype(np.float32)
    profile[:, USER_PROFILE.columns.index("language_id")] = rng.integers(0, 2, N)
    profile[1] = USER_PROFILE.default_row
    session = rng.random((N, len(USER_SESSION.columns))).astype(np.float32)
    session[:, 3:23] = rng.integers(-1, N_ITEMS + 2, (N, 20))
    session[2], session[3] = 0.0, USER_SESSION.default_row
    owner = np.repeat(np.arange(N), rng.integers(0, 40, N))
    n = len(owner)
    stats = Rows(
        rng.random((n, len(ITEM_STATS.columns))).astype(np.float32),
        np.zeros(n),
        rng.choice([Status.PRESENT, Status.MISSING, Status.EXPIRED], n).astype(np.uint8),
        np.zeros(n, np.uint64),
    )
    return profile, session, stats, rng.integers(0, N_ITEMS, n), owner


@pytest.mark.parametrize(
    "contract",
    [
        Contract("fc-1"),
        Contract("fc-2", tuple(reversed(INPUTS))),
        Contract("fc-3").without(["item_stats.ctr_28d", "cross.recent_same_creator"], "fc-3"),
        Contract.of("fc-4", CROSS),
    ],
    ids=lambda contract: contract.version,
)
def test_whatever_the_contract_says(batch, contract):
    profile, session, stats, items, owner = batch
    expected = assemble_rows(profile, session, stats.values, items, stats.status, CATALOGUE, contract, owner)
    built = InputBuilder(CATALOGUE).build(profile, session, stats, items, owner, contract)
    assert built.shape == expected.shape
    assert built.tobytes() == expected.tobytes()
