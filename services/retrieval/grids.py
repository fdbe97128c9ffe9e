"""Rows of numbers of different lengths in one array, and pairs packed so that they sort as one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

LOW = np.uint64(0xFFFFFFFF)
_SIGN = np.uint32(1 << 31)
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)  # sorts behind every packed pair


def by_owner(
    packed: NDArray[np.uint64], owner: Ints, n_requests: int
) -> tuple[NDArray[np.uint64], Ints]:
    """A row of packed numbers for each request, in the order given, and how many. owner: ascending."""
    counts = np.bincount(owner, minlength=n_requests)
    grid = np.full((n_requests, int(counts.max(initial=0))), _LAST)
    before = counts.cumsum() - counts
    grid[owner, np.arange(len(owner)) - before[owner]] = packed
    return grid, counts


def compressed(ids: Ints, keep: NDArray[np.bool_], n: int) -> Ints:
    """The first n kept ids of each row, in order, -1 beyond: int64 [b, n]."""
    place = keep.cumsum(1)
    row, at = (keep & (place <= n)).nonzero()
    out = np.full((len(ids), n), -1, np.int64)
    out[row, place[row, at] - 1] = ids[row, at]
    return out


def descending(score: Floats) -> NDArray[np.uint64]:
    """Numbers of 32 bits that ascend as the scores descend."""
    bits = (score + np.float32(0)).view(np.uint32)  # adding 0 makes one zero of the two
    ascending = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return (~ascending).astype(np.uint64)


def score_of(packed: NDArray[np.uint64]) -> Floats:
    """The scores of `descending`."""
    ascending = ~packed.astype(np.uint32)
    bits = np.where(ascending & _SIGN, ascending & ~_SIGN, ~ascending)
    out: Floats = bits.astype(np.uint32).view(np.float32)
    return out


def padded(lists: Sequence[NDArray[Any]], dtype: Any, fill: float) -> NDArray[Any]:
    """[lists, longest]"""
    out = np.full((len(lists), max(map(len, lists), default=0)), fill, dtype)
    for row, values in zip(out, lists, strict=True):
        row[: len(values)] = values
    return out
