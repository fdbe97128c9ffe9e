"""Whose request an arrival is."""

from __future__ import annotations

import itertools

from loadtest.lab.arrivals import BOT, CROWD, PERSON
from loadtest.lab.crowd import Crowd


def a_crowd(item: int | None = None) -> Crowd:
    numbers = itertools.count()
    return Crowd(lambda: (0.0, n := next(numbers), 100 + n), item)


def test_whoever_has_thought_is_next_and_else_somebody_comes():
    crowd = a_crowd()
    first = crowd.next(PERSON, 0.0)
    crowd.back(PERSON, first, 10.0)

    assert crowd.next(PERSON, 5.0) is not first, "still thinking"
    assert crowd.next(PERSON, 11.0) is first
    assert crowd.next(PERSON, 12.0).user == 2, "nobody waits: the next of the world's visits"


def test_a_visit_that_is_still_without_an_answer_is_nobodys_turn():
    crowd = a_crowd()

    assert [crowd.next(PERSON, 0.0).user for _ in range(3)] == [0, 1, 2]


def test_who_comes_again_is_in_the_mood_they_left_in():
    moods: dict[int, float] = {}
    crowd = Crowd(lambda: (0.0, 7, 1), mood=moods)
    visit = crowd.next(PERSON, 0.0)
    visit.over, visit.satisfaction = True, 0.9
    crowd.back(PERSON, visit, 0.0)

    assert crowd.next(PERSON, 1.0).satisfaction == 0.9


def test_a_crowd_clicks_its_item_and_bots_click_nothing():
    crowd = a_crowd(item=42)

    assert crowd.next(CROWD, 0.0).script.targets == {42}
    assert crowd.next(BOT, 0.0).script.clicks == "none"
    assert crowd.next(PERSON, 0.0).script is None
