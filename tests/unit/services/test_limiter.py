"""How many requests of one user are let in, by world time alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from services.gateway.limiter import WINDOW_S, Limiter


def let_in(limiter, user, now, most):
    try:
        limiter.require(user, now, most)
    except SandboxError as error:
        return error.kind.code != "WIRE-009"
    return True


def test_the_window_slides_and_who_was_refused_may_come_again():
    limiter = Limiter()

    assert [let_in(limiter, 1, t, 2) for t in (0, 10, 20, 59, 60, 61, 70)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_one_users_haste_costs_nobody_else_a_request():
    limiter = Limiter()
    assert [let_in(limiter, 1, 0, 1) for _ in range(3)] == [True, False, False]

    assert let_in(limiter, 2, 0, 1)


def test_without_a_limit_nothing_is_counted_and_a_new_one_begins_afresh():
    limiter = Limiter()
    assert all(let_in(limiter, 1, t, None) for t in range(100))

    assert let_in(limiter, 1, 100, 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 30)), max_size=80), st.integers(1, 5))
def test_never_more_than_so_many_in_any_window(steps, most):
    limiter, now, admitted = Limiter(), 0.0, []
    for user, gap in steps:
        now += gap
        if let_in(limiter, user, now, most):
            admitted.append((user, now))

    for user, at in admitted:
        assert sum(1 for u, t in admitted if u == user and at - WINDOW_S < t <= at) <= most


def test_it_forgets_who_has_not_come_for_a_window(monkeypatch):
    monkeypatch.setattr("services.gateway.limiter._MAX_USERS", 10)
    limiter = Limiter()
    for user in range(11):
        limiter.require(user, float(user) * 20, 5)

    assert len(limiter._let_in) <= 10
    assert [let_in(limiter, 10, 201.0, 3) for _ in range(3)] == [True, True, False]
