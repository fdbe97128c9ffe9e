"""The loops of `inputs`, `forward` and `content_batch`. Arrays as `laid`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.compiled import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NO_NORM = np.float32(1e-9)


@compiled
def inputs(
    of_user: Floats, stats: Floats, present: Bools, items: Ints, owner: Ints, dot: Floats, mood: Floats,
    taste_norm: Floats, topic_norm: Floats, language: Floats, item_language: NDArray[np.int8],
    recent: Ints, known: Bools, item_creator: NDArray[np.int32], n_columns: int,
) -> Floats:  # fmt: skip
    """The ranker's whole matrix: columns of the user, of the item, and the crosses in their order. [b]: of_user,
    taste_norm, language, recent, known; [items]: topic_norm and item_...; the others by row."""
    out = np.empty((len(items), n_columns), np.float32)
    n_user, n_stats = of_user.shape[1], stats.shape[1]
    for row in range(len(items)):
        user, item, cross = owner[row], items[row], n_user + n_stats
        for column in range(n_user):
            out[row, column] = of_user[user, column]
        for column in range(n_stats):
            out[row, n_user + column] = stats[row, column]
        same_creator, same_item, n_known = 0, False, 0
        for place in range(recent.shape[1]):
            if known[user, place]:
                n_known += 1
                same_item |= recent[user, place] == item
                same_creator += item_creator[recent[user, place]] == item_creator[item]
        norm = taste_norm[user] * topic_norm[item]
        out[row, cross] = dot[row]
        out[row, cross + 1] = dot[row] / norm if norm > _NO_NORM else np.float32(0)
        out[row, cross + 2] = mood[row]
        out[row, cross + 3] = language[user] == item_language[item]
        out[row, cross + 4] = same_creator / recent.shape[1]
        out[row, cross + 5] = same_item
        out[row, cross + 6] = n_known / recent.shape[1]
        out[row, cross + 7] = present[row]
    return out


@compiled
def attention(recent: Ints, of_item: Floats, n_items: int) -> tuple[Ints, Floats]:
    """Rows of the history's table for recent clicks, int64 [n, r], 0 for what the model does not know, and what
    they weigh before the softmax, float32 [n, r + 1]: the last one is nothing's, and weighs e^0."""
    rows = np.zeros(recent.shape, np.int64)
    weight = np.full((len(recent), recent.shape[1] + 1), np.float32(-1e9))
    for row in range(len(recent)):
        weight[row, recent.shape[1]] = 0
        for at in range(recent.shape[1]):
            if 0 <= recent[row, at] < n_items:
                rows[row, at] = recent[row, at] + 1
                weight[row, at] = of_item[rows[row, at]]
    return rows, weight


@compiled
def embed(
    x: Floats, mean: Floats, scale: Floats, of_user: Floats, user_row: Ints, of_item: Floats,
    item_row: Ints, k: int, out: Floats,
) -> None:  # fmt: skip
    """What the ranker's layers are given: scaled inputs, k columns of the user and of the item, their product,
    and the item's creator; each table ends with a bias, which is left out."""
    n_inputs, n_creator = x.shape[1], of_item.shape[1] - k - 1
    for row in range(len(x)):
        user, item = of_user[user_row[row]], of_item[item_row[row]]
        for at in range(n_inputs):
            scaled = (x[row, at] - mean[at]) * scale[at]
            out[row, at] = min(max(scaled, np.float32(-5)), np.float32(5))
        for at in range(k):
            out[row, n_inputs + at] = user[at]
            out[row, n_inputs + k + at] = item[at]
            out[row, n_inputs + 2 * k + at] = user[at] * item[at]
        for at in range(n_creator):
            out[row, n_inputs + 3 * k + at] = item[k + at]


@compiled
def cross(up: Floats, given: Floats, crossed: Floats, out: Floats) -> None:
    """up x given + crossed, of every cell."""
    for row in range(len(up)):
        for at in range(up.shape[1]):
            out[row, at] = up[row, at] * given[row, at] + crossed[row, at]


@compiled
def join(crossed: Floats, deep: Floats, out: Floats) -> None:
    """Both side by side, the second without what is negative."""
    width = crossed.shape[1]
    for row in range(len(out)):
        for at in range(width):
            out[row, at] = crossed[row, at]
        for at in range(deep.shape[1]):
            out[row, width + at] = max(deep[row, at], np.float32(0))


@compiled
def add_biases(logits: Floats, of_user: Floats, user_row: Ints, of_item: Floats, item_row: Ints) -> None:
    """The last column of both tables, to the first of each row."""
    for row in range(len(logits)):
        logits[row, 0] += of_user[user_row[row], -1]
        logits[row, 0] += of_item[item_row[row], -1]


@compiled
def tally(p: Floats, present: Bools, sizes: Ints) -> tuple[Bools, NDArray[np.float64]]:
    """By request whether all its probabilities are finite, and the share of items that lack a row."""
    fine, missing = np.ones(len(sizes), np.bool_), np.zeros(len(sizes))
    begin = 0
    for row in range(len(sizes)):
        end = begin + sizes[row]
        for at in range(begin, end):
            missing[row] += not present[at]
            for of in range(p.shape[1]):
                fine[row] &= np.isfinite(p[at, of])
        missing[row] /= max(sizes[row], 1)
        begin = end
    return fine, missing


@compiled
def ranks(bits: NDArray[np.uint32], sizes: Ints, width: int) -> NDArray[np.uint64]:
    """For lists of scores, laid end to end and given as their bits, rows of numbers that sort by score, best
    first, NaN and infinity last, ties as they came: its lowest 32 bits say where a score stood."""
    out = np.full((len(sizes), width), np.uint64(0xFFFFFFFFFFFFFFFF))
    begin = 0
    for row in range(len(sizes)):
        for at in range(sizes[row]):
            given = np.int64(bits[begin + at])
            key: Any = given
            if (given >> 23) & 0xFF == 0xFF:
                key = 0xFF800000  # as minus infinity
            elif given >> 31 == 0:
                key = 0x7FFFFFFF - given
            elif given == 0x80000000:  # the zero with a sign is the other one's equal
                key = 0x7FFFFFFF
            out[row, at] = np.uint64(key << 32 | at)
        begin += sizes[row]
    return out
