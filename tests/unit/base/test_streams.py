"""Draws belong to places. The numbers are written down: worlds, histories and twins are made of them."""

from __future__ import annotations

import numpy as np

from sandbox.base.streams import drawn, further, keys, starts, uniform, uniforms

USER, SESSION = np.array([3, 8, 5]), np.array([1, 2**40, -1])
GOLDEN = [0.8613386676411904, 0.42522811277594497, 0.33603037486444365]


def test_the_numbers_are_those_of_every_world_so_far() -> None:
    assert uniforms(7, "click", USER, SESSION).tolist() == GOLDEN
    assert uniform(7, "click", 8, 2**40) == GOLDEN[1]


def test_any_subset_of_places_gives_the_same_numbers() -> None:
    whole = uniforms(7, "click", USER[:, None], SESSION[:, None], np.arange(5)[None, :])

    assert np.array_equal(uniforms(7, "click", USER[1], SESSION[1], np.arange(2, 5)), whole[1, 2:])
    assert np.array_equal(uniforms(7, "click", 3, 1, np.arange(5)), whole[0])


def test_steps_shared_by_several_purposes_lead_to_the_numbers_of_each() -> None:
    state = starts(7, "click", "hide")[:, None]
    for part in (USER, SESSION):
        state = further(state, keys(part))

    assert np.array_equal(drawn(state)[0], uniforms(7, "click", USER, SESSION))
    assert np.array_equal(drawn(state)[1], uniforms(7, "hide", USER, SESSION))
    again = drawn(further(state[1][:, None], keys(np.arange(4))))
    places = USER[:, None], SESSION[:, None], np.arange(4)
    assert np.array_equal(again, uniforms(7, "hide", *places))
