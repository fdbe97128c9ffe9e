"""Forward passes over many requests: the model server's numbers, whoever else is asked about."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.virtual.answers.forward import RankerPass, TowerPass, _tiles
from services.model.core import N_PROFILE, TILE, Ranker, RankerConfig, TowerConfig, TwoTower, encode_user, score

N_USERS, N_ITEMS, N_CREATORS, N_INPUTS = 30, 400, 20, 12


@pytest.fixture(scope="module")
def ranker():
    torch.manual_seed(1)
    names = tuple(f"c{i}" for i in range(N_INPUTS))
    model = Ranker(RankerConfig(N_USERS, N_ITEMS, N_CREATORS, names)).eval()
    model.item_creator.copy_(torch.arange(N_ITEMS) % N_CREATORS)
    model.x_mean.copy_(torch.linspace(-1, 1, N_INPUTS))
    model.x_scale.copy_(torch.linspace(0.5, 4, N_INPUTS))
    return model


@pytest.fixture(scope="module")
def scorer(ranker):
    return RankerPass(ranker)


def jobs(sizes, seed):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    users = np.repeat(rng.integers(-1, N_USERS + 2, len(sizes)), sizes)
    items = rng.integers(-1, N_ITEMS + 2, n)  # with some that the model does not know
    return users, items, rng.normal(0, 3, (n, N_INPUTS)).astype(np.float32)


def parts(sizes, *arrays):
    at = np.cumsum([0, *sizes])
    return [tuple(a[i:j] for a in arrays) for i, j in pairwise(at)]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=9), st.integers(0, 99))
def test_a_score_depends_neither_on_its_place_nor_on_its_neighbours(scorer, ranker, sizes, seed):
    users, items, x = jobs(sizes, seed)
    together = scorer(users, items, x, sizes)
    for (p,), (u, i, rows) in zip(parts(sizes, together), parts(sizes, users, items, x), strict=True):
        assert p.tobytes() == scorer(u, i, rows, [len(i)]).tobytes()
        np.testing.assert_allclose(p, score(ranker, u, i, rows), rtol=0, atol=1e-6)


def test_where_places_matter_every_request_gets_a_tile_of_its_own(ranker, scorer, monkeypatch):
    monkeypatch.setattr(RankerPass, "_steady", lambda self, n: False)
    careful = RankerPass(ranker)
    assert (careful.align, careful.sizes) == (TILE, [TILE])
    sizes = [5, 300, 200, 1]
    users, items, x = jobs(sizes, 3)
    together = careful(users, items, x, sizes)
    np.testing.assert_allclose(together, scorer(users, items, x, sizes), rtol=0, atol=1e-6)
    for (p,), (u, i, rows) in zip(parts(sizes, together), parts(sizes, users, items, x), strict=True):
        assert p.tobytes() == careful(u, i, rows, [len(i)]).tobytes()


def test_a_pass_ends_in_the_smallest_tile_that_has_room():
    sizes = [2 * TILE, TILE, TILE // 2]
    for n, expected in (
        (5, [TILE // 2]),
        (TILE // 2 + 1, [TILE]),
        (TILE + 1, [TILE, TILE // 2]),
        (5 * TILE - 1, [2 * TILE, 2 * TILE, TILE]),
        (4 * TILE, [2 * TILE, 2 * TILE]),
    ):
        assert _tiles(n, sizes) == expected
    assert _tiles(TILE + 1, [TILE]) == [TILE, TILE]


def test_a_model_whose_rows_depend_on_their_place_is_found_out(ranker, monkeypatch):
    honest = RankerPass._tile

    def skewed(self, user_row, item_row, x, out):
        honest(self, user_row, item_row, x, out)
        out[TILE // 2 :] += 1e-7

    monkeypatch.setattr(RankerPass, "_tile", skewed)
    assert RankerPass(ranker).align == TILE


@pytest.mark.parametrize("shape", [(3, N_INPUTS - 1), (2, N_INPUTS)])
def test_inputs_of_another_shape_are_refused(scorer, shape):
    with pytest.raises(SandboxError) as error:
        scorer(np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(shape, np.float32), [3])
    assert error.value.kind.code == "MODEL-003"


def test_inputs_that_are_not_finite_are_refused(scorer):
    with pytest.raises(SandboxError) as error:
        scorer(np.zeros(1, np.int64), np.zeros(1, np.int64), np.full((1, N_INPUTS), np.nan, np.float32), [1])
    assert error.value.kind.code == "MODEL-003"


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(0, 99))
def test_a_query_vector_is_that_of_the_user_alone(n, seed):
    torch.manual_seed(2)
    tower = TwoTower(TowerConfig(N_USERS, N_ITEMS, N_CREATORS)).eval()
    encode = TowerPass(tower)
    rng = np.random.default_rng(seed)
    users, recent = rng.integers(-1, N_USERS + 2, n), rng.integers(-1, N_ITEMS + 2, (n, 20))
    profiles = rng.normal(0, 3, (n, N_PROFILE)).astype(np.float32)
    together = encode(users, profiles, recent)
    for i in range(n):
        one = slice(i, i + 1)
        alone = encode(users[one], profiles[one], recent[one])
        assert together[one].tobytes() == alone.tobytes()
        expected = encode_user(tower, users[one], profiles[one], recent[one])
        np.testing.assert_allclose(alone, expected, rtol=0, atol=2e-6)


def test_bad_users_are_refused_as_the_model_server_refuses_them():
    tower = TwoTower(TowerConfig(N_USERS, N_ITEMS, N_CREATORS)).eval()
    one, fine, none = np.array([1]), np.zeros((1, N_PROFILE), np.float32), np.full((1, 20), -1)
    for profiles, recent in ((fine[:, 1:], none), (fine + np.inf, none), (fine, none[0])):
        for encode in (TowerPass(tower), partial(encode_user, tower)):
            with pytest.raises(SandboxError) as error:
                encode(one, profiles, recent)
            assert error.value.kind.code == "MODEL-003"
