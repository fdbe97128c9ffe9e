"""From uniform draws to what they stand for."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

CONVERSION_WINDOW_S = 30 * 86_400.0
# Share and mean of each part of the conversion delay: 34.5 % within an hour, 50 % within a day.
# Source: shares published for the Criteo delayed-feedback log (Chapelle, KDD 2014).
CONVERSION_DELAYS = ((0.345, 1_200.0), (0.09, 6 * 3_600.0), (0.565, 8 * 86_400.0))


def conversion_delay_s(part: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """float64: delays by two uniforms: which part of CONVERSION_DELAYS, and where in it."""
    shares = np.cumsum([share for share, _ in CONVERSION_DELAYS])
    means = np.array([mean for _, mean in CONVERSION_DELAYS])
    chosen = np.minimum(np.searchsorted(shares, part, side="right"), len(means) - 1)
    delay: np.ndarray = -means[chosen] * np.log1p(-luck)
    return delay


def contains(recent: np.ndarray | None, item: np.ndarray) -> np.ndarray:
    """bool [n, k]: is item[n, k] among recent[n, r]?"""
    if recent is None or recent.shape[1] == 0:
        return np.zeros(item.shape, dtype=bool)
    return np.asarray((item[:, :, None] == recent[:, None, :]).any(axis=2))


def normal(luck: np.ndarray) -> np.ndarray:
    """float64: standard normal deviates by inversion, within 7 standard deviations."""
    deviate: np.ndarray = ndtri(np.clip(luck, 1e-12, 1 - 1e-12))
    return deviate
