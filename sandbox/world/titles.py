"""Titles of items and names of creators, so that a slate reads like one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.base.streams import stream
from sandbox.world.words import BAIT_TITLES, BRANDS, FAMILY, GIVEN, TITLES, TOPICS

_TRIES = 40  # other forms and words, before a number tells two alike apart
_BAIT_FROM = 0.15  # clickbait above the mean from which a title shouts


def titles(seed: int, main_topic: np.ndarray, clickbait: np.ndarray) -> list[str]:
    """One title per item, no two alike. main_topic: int [I]; clickbait: float [I], 0 for the mean."""
    things = list(TOPICS.values())
    pick = stream(seed, "titles").random((len(main_topic), 4))

    def forms(i: int) -> Iterator[str]:
        words = things[main_topic[i]]
        first, turn = int(pick[i, 0] * len(words)), int(pick[i, 1] * (len(words) - 1))
        wordings = BAIT_TITLES if clickbait[i] > _BAIT_FROM else TITLES
        start, number = int(pick[i, 2] * len(wordings)), int(pick[i, 3] * 29)
        for again in range(_TRIES):
            other = (first + 1 + (turn + again) % (len(words) - 1)) % len(words)
            yield wordings[(start + again) % len(wordings)].format(
                thing=words[first], other=words[other], n=2 + (number + again) % 29
            )

    return _distinct([forms(i) for i in range(len(main_topic))], "{} ({})")


def creator_names(seed: int, topic: np.ndarray) -> list[str]:
    """One name per creator, no two alike. topic: int [C], what the creator is known for."""
    topics = list(TOPICS)
    pick = stream(seed, "creator-names").random((len(topic), 3))

    def forms(i: int) -> Iterator[str]:
        given, brand, family = (int(p * n) for p, n in zip(pick[i], _SIZES, strict=True))
        for again in range(_TRIES):
            yield BRANDS[(brand + again) % len(BRANDS)].format(
                given=GIVEN[(given + again) % len(GIVEN)],
                given2=GIVEN[(given + again + 7) % len(GIVEN)],
                family=FAMILY[(family + again) % len(FAMILY)],
                topic=topics[topic[i]].title(),
            )

    return _distinct([forms(i) for i in range(len(topic))], "{} {}")


_SIZES = (len(GIVEN), len(BRANDS), len(FAMILY))


def _distinct(choices: list[Iterator[str]], numbered: str) -> list[str]:
    """The first of each row's forms that nobody has yet; the last form with a number if all are taken."""
    taken: dict[str, int] = {}
    out = []
    for forms in choices:
        text = ""
        for form in forms:
            text = form[0].upper() + form[1:]
            if text not in taken:
                break
        taken[text] = taken.get(text, 0) + 1
        out.append(text if taken[text] == 1 else numbered.format(text, taken[text]))
    return out
