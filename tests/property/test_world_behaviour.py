"""Nobody's luck depends on anybody else: what makes incident and twin comparable."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from sandbox.base.features import N_TOPICS
from sandbox.base.streams import uniforms
from sandbox.world.behaviour import Behaviour, SlateResponse
from sandbox.world.latent import Latent

N_USERS, N_ITEMS, K = 40, 60, 6


def _world() -> Behaviour:
    rng = np.random.default_rng(5)
    return Behaviour(
        Latent.neutral(
            seed=3,
            user_taste=rng.normal(size=(N_USERS, 4)),
            item_taste=rng.normal(size=(N_ITEMS, 4)),
            item_topics=rng.dirichlet(np.full(N_TOPICS, 0.1), N_ITEMS),
            item_appeal=np.full(N_ITEMS, 2.0),
        )
    )


WORLD = _world()
seeds = st.integers(0, 2**32 - 1)


def _requests(seed: int, n: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "user": rng.integers(0, N_USERS, n),
        "session": rng.integers(0, 10**12, n),
        "request_no": rng.integers(1, 20, n),
        "item": rng.integers(-1, N_ITEMS, (n, K)),
        "latency_ms": rng.exponential(100, n),
        "satisfaction": rng.random(n),
        "recent_clicked": rng.integers(-1, N_ITEMS, (n, 3)),
        "recent_shown": rng.integers(-1, N_ITEMS, (n, 5)),
    }


def _rows(answer: SlateResponse, rows: np.ndarray) -> list[np.ndarray]:
    return [getattr(answer, f.name)[rows] for f in fields(answer)]


@given(seed=seeds, n=st.integers(1, 30), data=st.data())
def test_an_answer_is_the_same_whoever_else_asks(seed: int, n: int, data: st.DataObject) -> None:
    asked = _requests(seed, n)
    some = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n)))

    whole = WORLD.respond(**asked)
    part = WORLD.respond(**{name: column[some] for name, column in asked.items()})

    for together, alone in zip(_rows(whole, some), _rows(part, np.arange(len(some))), strict=True):
        assert np.array_equal(together, alone, equal_nan=alone.dtype.kind == "f")


@given(seed=seeds, n=st.integers(2, 20))
def test_another_slate_for_one_user_moves_nobody_else(seed: int, n: int) -> None:
    asked = _requests(seed, n)
    changed = asked | {"item": asked["item"].copy()}
    changed["item"][0] = (changed["item"][0] + 1) % N_ITEMS
    others = np.arange(1, n)

    before, after = WORLD.respond(**asked), WORLD.respond(**changed)

    for was, is_now in zip(_rows(before, others), _rows(after, others), strict=True):
        assert np.array_equal(was, is_now, equal_nan=was.dtype.kind == "f")


@given(seed=seeds, n=st.integers(1, 20))
def test_reactions_hang_together(seed: int, n: int) -> None:
    asked = _requests(seed, n)
    got = WORLD.respond(**asked)

    assert not (got.click & ~got.examined).any()
    assert not (got.hide & got.click).any()
    assert not (got.examined & (asked["item"] < 0)).any()
    assert ((got.satisfaction >= 0) & (got.satisfaction <= 1)).all()
    assert np.nanmin(got.dwell_s, initial=1.0) > 0


@given(start=st.integers(0, 10**6), cut=st.floats(0.05, 0.95), length=st.floats(10, 900), seed=st.integers(0, 99))
def test_a_window_asked_for_in_two_pieces_holds_the_same_sessions(
    start: int, cut: float, length: float, seed: int
) -> None:
    middle, end = start + cut * length, start + length

    whole = WORLD.arrivals(start, end, 0.3, seed, shaped=True)
    first = WORLD.arrivals(start, middle, 0.3, seed, shaped=True)
    second = WORLD.arrivals(middle, end, 0.3, seed, shaped=True)

    for together, one, two in zip(whole, first, second, strict=True):
        assert np.array_equal(together, np.concatenate([one, two]))
    ts, user, session = whole
    assert (np.diff(ts) >= 0).all()
    assert len(np.unique(session)) == len(session)
    assert ((user >= 0) & (user < N_USERS)).all()


@given(seed=seeds, n=st.integers(0, 20))
def test_an_answer_is_what_the_draws_of_all_slots_say(seed: int, n: int) -> None:
    """The definition, slot by slot and draw by draw, beside what computes only what is looked at."""
    asked = _requests(seed, n)
    got, w = WORLD.respond(**asked), WORLD.weights
    user, session, item = asked["user"], asked["session"], asked["item"]
    place = user[:, None], session[:, None], asked["request_no"][:, None], np.arange(K)
    luck = {p: uniforms(3, p, *place) for p in ("examine", "click", "stop", "hide", "like")}

    safe = np.maximum(item, 0)
    pull = WORLD.attraction(user, safe, session)
    for recent, weight in (("recent_clicked", w.repeat_clicked), ("recent_shown", w.repeat_shown)):
        pull += weight * (item[:, :, None] == asked[recent][:, None, :]).any(axis=2)
    worth = WORLD.value(user, safe)
    looks = (item >= 0) & (luck["examine"] < WORLD.examination(user, K))
    wants = looks & (luck["click"] < expit(pull))
    stops = wants & (luck["stop"] < w.stop_share * expit(worth))
    reached = np.cumsum(stops, axis=1) - stops == 0
    click = wants & reached

    assert np.array_equal(got.examined, looks & reached)
    assert np.array_equal(got.click, click)
    hides = luck["hide"] < expit(w.hide_b0 - worth)
    assert np.array_equal(got.hide, looks & reached & ~click & hides)
    likes = luck["like"] < expit(w.like_b0 + worth.astype(np.float64))
    assert np.array_equal(got.like, click & likes)


def test_the_reactions_are_those_of_every_history_so_far() -> None:
    got = WORLD.respond(**_requests(1, 8))

    assert np.argwhere(got.click).tolist() == [[0, 0], [0, 4], [1, 0], [3, 1], [4, 0], [6, 3]]
    assert np.flatnonzero(got.leave).tolist() == [3]
    assert got.examined.sum() == 20
    assert got.satisfaction[:3] == pytest.approx([0.28866604, 0.77982849, 0.66995543], rel=1e-6)
    assert got.dwell_s[got.click][:3] == pytest.approx([52.0286484, 40.8073654, 4.1578512], rel=1e-6)
