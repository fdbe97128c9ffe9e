"""From uniform draws to what they stand for."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from sandbox.base.clock import DAY_S
from sandbox.base.streams import drawn, further, keys, starts

CONVERSION_WINDOW_S = 30 * DAY_S
# Share and mean of each part of the conversion delay: 34.5 % within an hour, 50 % within a day.
# Source: shares published for the Criteo delayed-feedback log (Chapelle, KDD 2014).
CONVERSION_DELAYS = ((0.345, 1_200.0), (0.09, 6 * 3_600.0), (0.565, 8 * DAY_S))
_SHARES = np.cumsum([share for share, _ in CONVERSION_DELAYS])
_MEANS_S = np.array([mean for _, mean in CONVERSION_DELAYS])


def conversion_delay_s(part: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """float64: delays by two uniforms: which part of CONVERSION_DELAYS, and where in it."""
    chosen = np.minimum(_SHARES.searchsorted(part, side="right"), len(_MEANS_S) - 1)
    delay: np.ndarray = -_MEANS_S[chosen] * np.log1p(-luck)
    return delay


def contains(recent: np.ndarray | None, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """bool [m]: is item[m] among recent[row[m]], of [n, r]?"""
    if recent is None or recent.shape[1] == 0:
        return np.zeros(item.shape, dtype=bool)
    return np.asarray((recent[row] == item[:, None]).any(axis=1))


def normal(luck: np.ndarray) -> np.ndarray:
    """float64: standard normal deviates by inversion, within 7 standard deviations."""
    deviate: np.ndarray = ndtri(np.minimum(np.maximum(luck, 1e-12), 1 - 1e-12))
    return deviate


_OF_REQUEST = ("leave", "examine", "click", "stop", "hide", "dwell", "like", "convert", "delay-part", "delay")


class Luck:
    """Everything that chance decides about n requests: `uniforms` of each purpose at (user, session),
    (user, session, request) or (user, session, request, column), whose beginnings are hashed but once."""

    def __init__(self, seed: int, user: np.ndarray, session: np.ndarray, request_no: np.ndarray, k: int) -> None:
        of_user, of_session, of_request = keys(np.array([user, session, request_no], np.int64))
        begun = starts(seed, "intent", *_OF_REQUEST)[:, None]
        visit = further(further(begun, of_user), of_session)
        self._request, self._columns = further(visit[1:], of_request), _columns(k)
        self.intent, self.leave = drawn(visit[0]), drawn(self._request[0])  # float64 [n]
        self.to_examine = drawn(further(self._request[1][:, None], self._columns))  # float64 [n, k]

    def of_examined(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """float64 [3, m]: to click, to stop after it, to hide."""
        return self._of(slice(2, 5), row, column)

    def of_clicked(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """float64 [5, m]: dwell, like, to convert, which part of the delays, where in it."""
        return self._of(slice(5, 10), row, column)

    def _of(self, purposes: slice, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return drawn(further(self._request[purposes].take(row, axis=1), self._columns[column]))


@lru_cache(maxsize=64)
def _columns(k: int) -> np.ndarray:
    return keys(np.arange(k))
