"""Nobody's luck depends on anybody else: what makes incident and twin comparable."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.features import N_TOPICS
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


@given(
    start=st.integers(0, 10**6),
    cut=st.floats(0.05, 0.95),
    length=st.floats(10, 900),
    seed=st.integers(0, 99),
)
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
