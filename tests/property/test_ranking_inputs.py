"""The ranker's inputs: one assembler for serving and training, and contracts that do what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION
from services.ranking.core import INPUTS, Contract, assemble, assemble_rows, combine, default_of
from tests.unit.pipeline.two_tastes import ITEMS, catalogue

CATALOGUE = catalogue()
FIRST_RECENT = USER_SESSION.columns.index("recent_00")


def rows(seed: int, users: int, n: int) -> tuple[np.ndarray, ...]:
    """profile, session, stats, item ids, statuses and the user of each row, all made up."""
    rng = np.random.default_rng(seed)
    profile = rng.random((users, len(USER_PROFILE.columns))).astype(np.float32)
    session = rng.random((users, len(USER_SESSION.columns))).astype(np.float32)
    session[:, FIRST_RECENT : FIRST_RECENT + 20] = rng.integers(-1, ITEMS, (users, 20))
    stats = rng.random((n, len(ITEM_STATS.columns))).astype(np.float32)
    item, status = rng.integers(0, ITEMS, n), rng.integers(1, 4, n).astype(np.uint8)
    return profile, session, stats, item, status, rng.integers(0, users, n)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(0, 30))
def test_training_on_many_users_builds_the_rows_that_serving_builds_for_each(seed: int, users: int, n: int) -> None:
    profile, session, stats, item, status, who = rows(seed, users, n)

    together = assemble_rows(profile, session, stats, item, status, CATALOGUE, Contract("c"), who)

    assert together.shape == (n, len(INPUTS))
    for user in range(users):
        mine = who == user
        alone = assemble(profile[user], session[user], stats[mine], item[mine], status[mine], CATALOGUE, Contract("c"))
        np.testing.assert_array_equal(alone, together[mine])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(len(INPUTS))))
def test_a_permuted_contract_gives_the_permuted_matrix(seed: int, order: list[int]) -> None:
    profile, session, stats, item, status, who = rows(seed, 2, 5)
    contract = Contract("c").with_columns([INPUTS[i] for i in order], "permuted")

    plain = assemble_rows(profile, session, stats, item, status, CATALOGUE, Contract("c"), who)
    permuted = assemble_rows(profile, session, stats, item, status, CATALOGUE, contract, who)

    np.testing.assert_array_equal(permuted, plain[:, order])


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from(INPUTS)))
def test_an_absent_feature_is_its_default_and_nothing_else_moves(gone: set[str]) -> None:
    profile, session, stats, item, status, who = rows(1, 2, 5)
    contract = Contract("c").without(sorted(gone), "release")

    plain = assemble_rows(profile, session, stats, item, status, CATALOGUE, Contract("c"), who)
    broken = assemble_rows(profile, session, stats, item, status, CATALOGUE, contract, who)

    for at, name in enumerate(INPUTS):
        expected = np.full(5, default_of(name)) if name in gone else plain[:, at]
        np.testing.assert_array_equal(broken[:, at], expected)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from(INPUTS)))
def test_a_listed_contract_keeps_the_width_of_the_model(gone: set[str]) -> None:
    listed = [name for name in INPUTS if name not in gone]
    contract = Contract.of("c", listed)

    assert contract.columns == INPUTS
    assert set(contract.absent) == (gone if listed else set())
    assert Contract.from_document(contract.document()) == contract


@pytest.mark.parametrize(
    "document", [{}, {"version": "c", "columns": ["no.such"]}, {"version": "c", "columns": 3}, None]
)
def test_a_hostile_contract_is_refused(document: object) -> None:
    with pytest.raises(SandboxError) as caught:
        Contract.from_document(document)  # type: ignore[arg-type]

    assert caught.value.kind.code == "MODEL-003"


def test_no_session_names_no_item() -> None:
    profile, _, stats, _, status, _ = rows(1, 1, 5)
    item, name = np.zeros(5, np.int64), INPUTS.index("cross.recent_same_item")

    for nothing in (USER_SESSION.default_row, np.zeros_like(USER_SESSION.default_row)):
        x = assemble(profile[0], nothing, stats, item, status, CATALOGUE, Contract("c"))
        assert not x[:, name].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_more_of_any_objective_never_scores_lower(seed: int) -> None:
    p = np.random.default_rng(seed).random((8, 3)).astype(np.float32)
    weights = np.array([1.0, 0.6, 3.0], np.float32)

    assert (combine(np.minimum(p + 0.1, 1), weights) >= combine(p, weights)).all()
