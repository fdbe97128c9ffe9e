"""Latencies in HDR histograms: every percentile within a thousandth of its value, and merged without loss.

A histogram holds microseconds from 1 to an hour with three significant digits. Source: G. Tene, HdrHistogram,
https://hdrhistogram.org; its Python form, hdrhistogram.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

HIGHEST_US = 3_600_000_000
DIGITS = 3
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)


class Histogram:
    """Latencies of one kind. What is longer than an hour counts as an hour."""

    def __init__(self) -> None:
        self._counts = HdrHistogram(1, HIGHEST_US, DIGITS)

    @classmethod
    def of(cls, values_ms: NDArray[np.float64] | Iterable[float]) -> Histogram:
        """Of these latencies, milliseconds; what is no number is left out."""
        found = cls()
        found.add_all(np.asarray(values_ms, np.float64))
        return found

    def add_all(self, values_ms: NDArray[np.float64]) -> None:
        """values_ms: float64 [n]. Raises ValueError for a negative one: time does not run backwards."""
        values = values_ms[~np.isnan(values_ms)]
        if (values < 0).any():
            raise ValueError(f"a latency of {values.min()} ms")
        us = np.minimum(np.rint(values * 1000), HIGHEST_US).astype(np.int64)
        for value, count in zip(*(part.tolist() for part in np.unique(us, return_counts=True)), strict=True):
            self._counts.record_value(value, count)

    def add_corrected(self, value_ms: float, interval_ms: float, count: int = 1) -> None:
        """One latency, and those that a load of one call each interval_ms would have had while it hung."""
        self._counts.record_corrected_value(round(value_ms * 1000), round(interval_ms * 1000), count)

    def merge(self, other: Histogram) -> None:
        """Adds another one's counts: exactly what one histogram of all latencies would hold."""
        self._counts.add(other._counts)

    @property
    def count(self) -> int:
        return int(self._counts.get_total_count())

    @property
    def mean_ms(self) -> float | None:
        return self._counts.get_mean_value() / 1000 if self.count else None

    def percentiles_ms(self, which: Iterable[float] = PERCENTILES) -> dict[str, float] | None:
        """{"50": ..., "99.99": ...}, each the upper end of its bucket; None for no latencies."""
        if not self.count:
            return None
        found = self._counts.get_percentile_to_value_dict(list(which))
        return {f"{p:g}": found[p] / 1000 for p in sorted(found)}

    def curve(self) -> list[tuple[float, float]]:
        """(share of latencies above, milliseconds) in ascending milliseconds, for a picture; at most some 200 points."""
        if not self.count:
            return []
        rows: list[tuple[float, float]] = []
        for item in self._counts.get_percentile_iterator(8):
            above = max(0.0, 1 - item.percentile_level_iterated_to / 100)
            rows.append((above, item.value_iterated_to / 1000))
        return rows

    def encode(self) -> str:
        """Compressed and in base64, as other programs of this family read it."""
        return str(self._counts.encode().decode())

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """Raises ValueError for what is no histogram."""
        found = cls()
        try:
            found._counts.add(HdrHistogram.decode(text.encode()))
        except (ValueError, TypeError, IndexError, zlib.error, HdrCookieException, HdrLengthException) as error:
            raise ValueError(f"no histogram: {text[:20]!r}") from error
        return found


def by_kind(kinds: NDArray[Any], values_ms: NDArray[np.float64]) -> dict[str, Histogram]:
    """A histogram for each kind. kinds: [n], its text is the name."""
    return {str(kind): Histogram.of(values_ms[kinds == kind]) for kind in np.unique(kinds)}


def merged(parts: Iterable[Mapping[str, Histogram]]) -> dict[str, Histogram]:
    """Histograms of several workers, each kind together."""
    whole: dict[str, Histogram] = {}
    for part in parts:
        for kind, histogram in part.items():
            whole.setdefault(kind, Histogram()).merge(histogram)
    return whole
