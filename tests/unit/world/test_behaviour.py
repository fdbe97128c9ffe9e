from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sandbox.base.features import N_TOPICS
from sandbox.world.behaviour import Behaviour, SlateResponse
from sandbox.world.draws import conversion_delay_s
from sandbox.world.latent import Latent, Weights

N_USERS, N_ITEMS = 400, 120


def latent(**known: Any) -> Latent:
    """A world in which nothing but what a test sets differs between users or items."""
    topics = np.zeros((N_ITEMS, N_TOPICS))
    topics[np.arange(N_ITEMS), np.arange(N_ITEMS) % 4] = 1.0
    arrays = {"user_taste": np.zeros((N_USERS, 2)), "item_taste": np.zeros((N_ITEMS, 2)), "item_topics": topics}
    return Latent.neutral(seed=11, **(arrays | {"item_appeal": np.full(N_ITEMS, 2.5)} | known))


def answer(behaviour: Behaviour, item: np.ndarray | int, **known: Any) -> SlateResponse:
    """One slate of ten for every user, all of one item unless given."""
    n = behaviour.n_users
    slate = np.full((n, 10), item) if np.ndim(item) == 0 else np.asarray(item)
    asked: dict[str, Any] = {
        "user": np.arange(n), "session": np.arange(n) + 1_000, "request_no": np.ones(n, dtype=np.int64),
        "item": slate, "latency_ms": np.full(n, 60.0), "satisfaction": np.full(n, 0.5),
    }  # fmt: skip
    return behaviour.respond(**(asked | known))


def test_the_first_position_is_looked_at_most() -> None:
    looked = answer(Behaviour(latent()), 3).examined.mean(axis=0)

    assert looked[0] == 1.0
    assert looked[0] > looked[2] > looked[8]


def test_better_liked_items_are_clicked_more() -> None:
    appeal = np.where(np.arange(N_ITEMS) == 5, 4.0, 1.0)
    behaviour = Behaviour(latent(item_appeal=appeal))

    liked, other = (answer(behaviour, item).click[:, 0].mean() for item in (5, 6))

    assert liked > other + 0.2
    p = behaviour.click_probability(np.arange(N_USERS), np.full((N_USERS, 1), 5), np.arange(N_USERS) + 1_000)
    assert liked == pytest.approx(p.mean(), abs=5 * np.sqrt(0.25 / N_USERS))


def test_padding_gets_no_reaction() -> None:
    slate = np.full((N_USERS, 10), 3)
    slate[:, 4:] = -1
    given = answer(Behaviour(latent()), slate)

    for reaction in (given.examined, given.click, given.like, given.hide):
        assert not reaction[:, 4:].any()
    assert np.isnan(given.dwell_s[:, 4:]).all()
    assert given.click[:, :4].any()


def test_only_clicks_have_dwell_likes_conversions_and_revenue() -> None:
    given = answer(Behaviour(latent(item_price=np.full(N_ITEMS, 9.0))), 3)

    assert (np.isfinite(given.dwell_s) == given.click).all()
    assert not (given.like & ~given.click).any()
    converted = np.isfinite(given.conversion_delay_s)
    assert converted.any()
    assert not (converted & ~given.click).any()
    assert (given.revenue == np.where(converted, 9.0, 0.0)).all()


def test_nobody_stays_longer_than_the_item_lasts() -> None:
    given = answer(Behaviour(latent(item_duration_s=np.full(N_ITEMS, 12.0))), 3)

    stayed = given.dwell_s[given.click]
    assert stayed.max() == 12.0
    assert stayed.min() > 0


def test_an_item_on_the_sessions_topic_attracts_more() -> None:
    behaviour = Behaviour(latent())
    user, session = np.arange(N_USERS), np.arange(N_USERS) + 1_000
    on_topic = behaviour.intent(user, session)[:, None]  # item i has topic i % 4

    on, off = (behaviour.attraction(user, item, session) for item in (on_topic, (on_topic + 1) % 4))

    assert on - off == pytest.approx(np.full((N_USERS, 1), Weights().intent_gain))


def test_what_was_clicked_in_the_session_is_not_clicked_again() -> None:
    behaviour = Behaviour(latent(item_appeal=np.full(N_ITEMS, 3.5)))
    fresh = answer(behaviour, 3).click[:, 0].mean()
    shown = answer(behaviour, 3, recent_shown=np.full((N_USERS, 2), 3)).click[:, 0].mean()
    clicked = answer(behaviour, 3, recent_clicked=np.array([[-1, 3]] * N_USERS)).click[:, 0].mean()
    other = answer(behaviour, 3, recent_clicked=np.full((N_USERS, 1), 4)).click[:, 0].mean()

    assert fresh > shown > clicked
    assert fresh == other


def test_slow_answers_make_users_leave() -> None:
    behaviour = Behaviour(latent())
    left = {ms: answer(behaviour, 3, latency_ms=np.full(N_USERS, ms)).leave.mean() for ms in (60, 300, 1_000)}

    assert left[60] < left[300] < left[1_000]
    assert left[1_000] > 2 * left[60]


def test_an_empty_page_makes_users_leave_at_once() -> None:
    behaviour = Behaviour(latent())

    empty = answer(behaviour, np.full((N_USERS, 10), -1))

    assert empty.leave.mean() > answer(behaviour, 3).leave.mean() + 0.2


def test_clickbait_is_clicked_more_and_leaves_users_less_content() -> None:
    bait = np.where(np.arange(N_ITEMS) == 5, 0.6, 0.0)
    behaviour = Behaviour(latent(item_clickbait=bait, item_appeal=np.full(N_ITEMS, 1.5)))

    baited, honest = answer(behaviour, 5), answer(behaviour, 6)

    assert baited.click.mean() > honest.click.mean()
    assert baited.satisfaction.mean() < honest.satisfaction.mean()


def test_content_users_come_back_sooner() -> None:
    behaviour = Behaviour(latent())
    user = np.arange(N_USERS)

    sad, glad = (behaviour.return_gap_s(user, user, np.full(N_USERS, s)) for s in (0.2, 0.8))

    assert (sad > glad).all()  # the same luck, another rate
    middling = behaviour.return_gap_s(user, user, np.full(N_USERS, 0.5))
    assert middling.mean() == pytest.approx(86_400, rel=5 / np.sqrt(N_USERS))


def test_half_of_the_conversions_take_longer_than_a_day() -> None:
    grid = (np.arange(1_000) + 0.5) / 1_000
    delay_s = conversion_delay_s(*(part.ravel() for part in np.meshgrid(grid, grid)))

    assert (delay_s <= 3_600).mean() == pytest.approx(0.345, abs=0.005)
    assert (delay_s <= 86_400).mean() == pytest.approx(0.50, abs=0.005)


def test_another_seed_is_another_luck() -> None:
    one = answer(Behaviour(latent()), 3)
    other = answer(Behaviour(replace(latent(), seed=12)), 3)

    assert (one.click != other.click).any()


def test_attraction_to_all_is_attraction_to_each() -> None:
    rng = np.random.default_rng(0)
    behaviour = Behaviour(latent(user_taste=rng.normal(size=(N_USERS, 2)), item_taste=rng.normal(size=(N_ITEMS, 2))))
    user, session = np.arange(7), np.arange(7) + 50
    every = np.tile(np.arange(N_ITEMS), (7, 1))

    assert behaviour.attraction_to_all(user, session) == pytest.approx(
        behaviour.attraction(user, every, session), abs=1e-5
    )
    assert behaviour.value_to_all(user) == pytest.approx(behaviour.value(user, every), abs=1e-5)


def test_who_found_something_worthwhile_reads_no_further() -> None:
    always = Weights(stop_share=1.0, value_b0=20.0, b0=1.0)
    behaviour = Behaviour(latent(weights=always))

    given = answer(behaviour, 3)

    assert given.click.sum(axis=1).max() == 1
    after = np.cumsum(given.click, axis=1) - given.click > 0
    assert not (given.examined & after).any()


def test_patient_users_look_further_and_stay_longer() -> None:
    patient = np.where(np.arange(N_USERS) % 2 == 0, 0.9, 0.1)
    given = answer(Behaviour(latent(user_patience=patient)), 3)

    even = np.arange(N_USERS) % 2 == 0
    assert given.examined[even].mean() > given.examined[~even].mean()
    assert given.leave[even].mean() < given.leave[~even].mean()
