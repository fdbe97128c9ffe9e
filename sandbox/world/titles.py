"""Titles of items and names of creators, so that a slate reads like one."""

from __future__ import annotations

import numpy as np

from sandbox.base.streams import stream
from sandbox.world.words import BAIT_TITLES, BRANDS, FAMILY, GIVEN, TITLES, TOPICS


def titles(seed: int, main_topic: np.ndarray, clickbait: np.ndarray) -> list[str]:
    """One title per item, no two alike. main_topic: int [I]; clickbait: float [I], 0 for the mean."""
    rng, things = stream(seed, "titles"), list(TOPICS.values())
    n = len(main_topic)
    pick = rng.random((n, 4))
    taken: dict[str, int] = {}
    out = []
    for i in range(n):
        words = things[main_topic[i]]
        first = int(pick[i, 0] * len(words))
        second = (first + 1 + int(pick[i, 1] * (len(words) - 1))) % len(words)
        forms = BAIT_TITLES if clickbait[i] > 0.15 else TITLES
        text = forms[int(pick[i, 2] * len(forms))].format(
            thing=words[first], other=words[second], n=2 + int(pick[i, 3] * 29)
        )
        text = text[0].upper() + text[1:]
        taken[text] = taken.get(text, 0) + 1
        out.append(text if taken[text] == 1 else f"{text} ({taken[text]})")
    return out


def creator_names(seed: int, topic: np.ndarray) -> list[str]:
    """One name per creator, no two alike. topic: int [C], what the creator is known for."""
    rng, topics = stream(seed, "creator-names"), list(TOPICS)
    pick = rng.random((len(topic), 4))
    taken: dict[str, int] = {}
    out = []
    for i, slot in enumerate(topic):
        given = int(pick[i, 0] * len(GIVEN))
        text = BRANDS[int(pick[i, 1] * len(BRANDS))].format(
            given=GIVEN[given],
            given2=GIVEN[(given + 7) % len(GIVEN)],
            family=FAMILY[int(pick[i, 2] * len(FAMILY))],
            topic=topics[slot].title(),
        )
        taken[text] = taken.get(text, 0) + 1
        out.append(text if taken[text] == 1 else f"{text} {taken[text]}")
    return out
