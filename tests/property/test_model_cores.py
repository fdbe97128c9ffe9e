"""The served models: a row's score is its own, and whoever is unknown is nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.pipeline import ranker, two_tower
from services.model import core
from services.ranking.core import INPUTS
from tests.unit.pipeline.two_tastes import ITEMS, USERS, catalogue

RANKER = ranker.untrained(catalogue(), 1).eval()
TOWERS = two_tower.untrained(catalogue(), 1).eval()


def x_of(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, len(INPUTS))).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 600), st.data())
def test_a_score_does_not_depend_on_the_rows_beside_it(seed: int, n: int, data: st.DataObject) -> None:
    rng, x = np.random.default_rng(seed), x_of(seed, n)
    users, items = rng.integers(-1, USERS, n), rng.integers(0, ITEMS, n)
    row = data.draw(st.integers(0, n - 1))

    together = core.score(RANKER, users, items, x)
    alone = core.score(RANKER, int(users[row]), items[row : row + 1], x[row : row + 1])

    np.testing.assert_allclose(alone[0], together[row], atol=1e-6, rtol=0)
    assert ((together > 0) & (together < 1)).all()
    assert (together[:, 1:] <= together[:, :1]).all()  # both need the click


@settings(max_examples=20, deadline=None)
@given(st.integers(USERS, 10**9) | st.integers(-(10**9), -1))
def test_an_id_the_model_never_saw_is_the_unknown_user(user: int) -> None:
    x, items = x_of(1, 3), np.arange(3)
    profile, recent = np.zeros((1, core.N_PROFILE), np.float32), np.full((1, 20), -1)

    np.testing.assert_array_equal(core.score(RANKER, user, items, x), core.score(RANKER, -1, items, x))
    np.testing.assert_array_equal(
        core.encode_user(TOWERS, np.array([user]), profile, recent),
        core.encode_user(TOWERS, np.array([-1]), profile, recent),
    )


def test_padding_of_the_recent_items_says_nothing() -> None:
    profile = np.zeros((1, core.N_PROFILE), np.float32)
    short, padded = np.array([[5, 6]]), np.array([[5, 6, -1, -1, -1]])

    np.testing.assert_allclose(
        core.encode_user(TOWERS, np.array([1]), profile, short),
        core.encode_user(TOWERS, np.array([1]), profile, padded),
        atol=1e-6,
    )


def test_models_come_back_from_their_bytes_as_they_were() -> None:
    x, items = x_of(1, 3), np.arange(3)

    ranker_again = core.load_ranker(*core.dump(RANKER))
    towers_again = core.load_two_tower(*core.dump(TOWERS))

    np.testing.assert_array_equal(core.score(ranker_again, 1, items, x), core.score(RANKER, 1, items, x))
    np.testing.assert_array_equal(core.encode_items(towers_again), core.encode_items(TOWERS))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(bad: float) -> None:
    x = x_of(1, 3)
    x[1, 2] = bad

    with pytest.raises(SandboxError) as caught:
        core.score(RANKER, 1, np.arange(3), x)

    assert caught.value.kind.code == "MODEL-003"


def test_a_matrix_of_another_width_is_refused_with_both_shapes() -> None:
    with pytest.raises(SandboxError) as caught:
        core.score(RANKER, 1, np.arange(3), x_of(1, 3)[:, 1:])

    assert caught.value.kind.code == "MODEL-003"
    assert str((3, len(INPUTS))) in caught.value.expected


def test_tensors_of_another_model_are_refused() -> None:
    tensors, config = core.dump(RANKER)

    for damaged in (tensors[: len(tensors) // 2], core.dump(TOWERS)[0], b""):
        with pytest.raises(SandboxError) as caught:
            core.load_ranker(damaged, config)
        assert caught.value.kind.code == "MODEL-002"
