"""What a program does that poses as a user: pages at a beat, clicks by plan, none of a person's moods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sandbox.base.streams import uniforms
from sandbox.world.behaviour import SlateResponse

Clicks = Literal["none", "random", "targets"]
DWELL_S = 1.0  # on what it clicks, world seconds
USER, TESTER = "SlateUser", "LoadTest"  # `user_class` in the lake: of people and who poses as them, of a load test
RANDOM_SHARE = 0.1  # of the places, where it clicks at random


@dataclass(frozen=True)
class Script:
    """pages: requests of a visit. gap_s: world seconds from an answer to the next request. clicks: on nothing,
    on a tenth of the places, or on the `targets` (item ids) alone. user_class: what the lake calls it; a program that
    poses as a user is called what users are."""

    pages: int
    gap_s: float
    clicks: Clicks = "none"
    targets: frozenset[int] = frozenset()
    user_class: str = USER

    def play(
        self, response: SlateResponse, row: int, items: NDArray[np.int64], user: int, session: int, depth: int
    ) -> None:
        """Puts its own doings in the place of a user's, in one row. items: int64 [k], -1 beyond the slate. depth: of
        this request, from 1."""
        response.click[row] = self._clicks(items, user, session, depth)
        response.dwell_s[row] = np.where(response.click[row], DWELL_S, np.nan)
        response.conversion_delay_s[row] = np.nan
        response.revenue[row] = 0
        response.like[row] = response.hide[row] = False
        response.leave[row] = depth >= self.pages

    def _clicks(self, items: NDArray[np.int64], user: int, session: int, depth: int) -> NDArray[np.bool_]:
        if self.clicks == "targets":
            return np.isin(items, list(self.targets))
        luck = uniforms(0, "traffic/script", user, session, depth, np.arange(len(items)))
        return (items >= 0) & (luck < (RANDOM_SHARE if self.clicks == "random" else 0.0))
