"""The loops of `many`, request by request as `core` has them. Arguments are as there, arrays as `laid`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.compiled import compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Single = np.floating[Any]


@compiled
def visible(ids: Ints, scores: Floats, now: Doubles, published: Doubles) -> tuple[Ints, Floats, Ints]:
    """Ids, scores and n without what the catalogue lacks or what is not published."""
    kept, of_kept = np.full(ids.shape, -1, np.int64), np.zeros(ids.shape, np.float32)
    n = np.zeros(len(ids), np.int64)
    for row in range(len(ids)):
        for at in range(ids.shape[1]):
            item = ids[row, at]
            if 0 <= item < len(published) and published[item] <= now[row]:
                kept[row, n[row]], of_kept[row, n[row]] = item, scores[row, at]
                n[row] += 1
    return kept, of_kept, n


@compiled
def insert(keys: NDArray[np.floating], items: Ints, held: int, key: float | Single, item: int) -> int:
    """Into a row that is kept greatest key first, ties by the lower item; a full row loses its last.
    Returns how many it holds."""
    at = held
    if held == len(items):
        at -= 1
        if key < keys[at] or (key == keys[at] and item > items[at]):
            return held
    while at > 0 and (key > keys[at - 1] or (key == keys[at - 1] and item < items[at - 1])):
        keys[at], items[at] = keys[at - 1], items[at - 1]
        at -= 1
    keys[at], items[at] = key, item
    return min(held + 1, len(items))


@compiled
def covisit(
    recent: Ints, neighbours: NDArray[np.int32], weights: Floats, n_ids: int, decay: Floats, n: int
) -> tuple[Ints, Floats, Ints]:
    """Ids, scores and n of each request. n_ids: one more than the greatest id among the neighbours. decay:
    float32 [r], by place among the known clicks."""
    out, scores = np.full((len(recent), n), -1, np.int64), np.zeros((len(recent), n), np.float32)
    counts = np.zeros(len(recent), np.int64)
    total, touched = np.zeros(n_ids), np.empty(n_ids, np.int64)
    clicked, met = np.zeros(n_ids, np.bool_), np.zeros(n_ids, np.bool_)
    for row in range(len(recent)):
        for click in recent[row]:
            if 0 <= click < len(neighbours):
                clicked[click] = True
        place, n_touched = 0, 0
        for click in recent[row]:
            if not 0 <= click < len(neighbours):
                continue
            for at in range(neighbours.shape[1]):
                item = neighbours[click, at]
                if item < 0 or clicked[item]:
                    continue
                if not met[item]:
                    met[item], touched[n_touched] = True, item
                    n_touched += 1
                total[item] += weights[click, at] * decay[place]
            place += 1
        for item in touched[:n_touched]:
            score = np.float32(total[item])
            counts[row] = insert(scores[row], out[row], counts[row], score, item)
            total[item], met[item] = 0.0, False
        for click in recent[row]:
            if 0 <= click < len(neighbours):
                clicked[click] = False
    return out, scores, counts


@compiled
def followed(
    users: Ints, n: int, n_per_creator: int, now: Doubles, indptr: Ints, creators: NDArray[np.int32],
    creator_indptr: Ints, creator_items: Ints, published: Doubles,
) -> tuple[Ints, Ints]:  # fmt: skip
    """Ids [b, n] and n. creators, of the user u: indptr[u] to indptr[u + 1]; items likewise."""
    out, counts = np.full((len(users), n), -1, np.int64), np.zeros(len(users), np.int64)
    times, order = np.empty(n), np.empty(n, np.int64)
    for row in range(len(users)):
        user = users[row]
        if not 0 <= user < len(indptr) - 1:
            continue
        # Those who are followed in turn: each one's items stand newest first, ties keep this order.
        whose = creators[indptr[user] : indptr[user + 1]]
        chosen = np.empty(len(whose) * n_per_creator, np.int64)
        held, met = 0, 0
        for creator in whose:
            first, taken = creator_indptr[creator], 0
            for at in range(first, min(creator_indptr[creator + 1], first + 2 * n_per_creator)):
                item = creator_items[at]
                if published[item] <= now[row] and taken < n_per_creator:
                    chosen[met] = item
                    held = insert(times, order, held, published[item], met)
                    taken += 1
                    met += 1
        counts[row] = held
        for at in range(held):
            out[row, at] = chosen[order[at]]
    return out, counts


@compiled
def fresh(
    n: int, upto: Ints, region: Ints, language: Ints, any_language: int, by_time: Ints, regions: NDArray[np.uint16],
    spoken: NDArray[np.int8],
) -> tuple[Ints, Ints]:  # fmt: skip
    """Ids [b, n] and n. upto: items of by_time that are published."""
    out, counts = np.full((len(upto), n), -1, np.int64), np.zeros(len(upto), np.int64)
    for row in range(len(upto)):
        for at in range(upto[row] - 1, max(0, upto[row] - 8 * n) - 1, -1):
            item = by_time[at]
            of = spoken[item]
            if not (np.int64(regions[item]) >> region[row]) & 1:
                continue
            if language[row] >= 0 and of != language[row] and of != any_language:
                continue
            out[row, counts[row]] = item
            counts[row] += 1
            if counts[row] == n:
                break
    return out, counts


@compiled
def fused(ids: Ints, gain: Doubles, bit: Bytes, n_items: int) -> tuple[Ints, Doubles, Bytes, Ints]:
    """The lists side by side, [b, m] with -1 between, as distinct items in the order in which they stand:
    items, minus their scores (infinity beyond the end), masks, n. gain, bit: [m]."""
    items, minus = np.full(ids.shape, -1, np.int64), np.full(ids.shape, np.inf)
    masks, n = np.zeros(ids.shape, np.uint8), np.zeros(len(ids), np.int64)
    place = np.full(n_items, -1, np.int64)
    for row in range(len(ids)):
        for at in range(ids.shape[1]):
            item = ids[row, at]
            if item < 0:
                continue
            if place[item] < 0:
                place[item] = n[row]
                items[row, n[row]], minus[row, n[row]] = item, 0.0
                n[row] += 1
            minus[row, place[item]] -= gain[at]
            masks[row, place[item]] |= bit[at]
        for item in items[row, : n[row]]:
            place[item] = -1
    return items, minus, masks, n


@compiled
def taken(
    order: Ints, items: Ints, minus: Doubles, masks: Bytes, n: Ints, n_wanted: int
) -> tuple[Ints, Floats, Bytes, Ints]:
    """The first n_wanted of each row of `fused` in `order`: ids, scores, sources [b, n_wanted] and n."""
    ids, scores = (np.full((len(n), n_wanted), -1, np.int64), np.zeros((len(n), n_wanted), np.float32))
    sources, counts = np.zeros((len(n), n_wanted), np.uint8), np.zeros(len(n), np.int64)
    for row in range(len(n)):
        counts[row] = min(n[row], n_wanted)
        for at in range(counts[row]):
            of = order[row, at]
            ids[row, at], sources[row, at] = items[row, of], masks[row, of]
            scores[row, at] = -minus[row, of]
    return ids, scores, sources, counts


@compiled
def topped_up(
    ids: Ints, scores: Floats, sources: Bytes, n: Ints, popular: Ints, now: Doubles, published: Doubles,
    source: int, last_of_none: float,
) -> None:  # fmt: skip
    """Fills rows that are not full, in place. popular: int64 [b, m], -1 beyond the end; source:
    their bit."""
    held = np.zeros(len(published), np.bool_)
    for row in range(len(n)):
        first = n[row]
        if first == ids.shape[1]:
            continue
        for item in ids[row, :first]:
            held[item] = True
        for item in popular[row]:
            if 0 <= item < len(published) and published[item] <= now[row] and not held[item]:
                ids[row, n[row]], sources[row, n[row]] = item, source
                n[row] += 1
                if n[row] == ids.shape[1]:
                    break
        last = np.float64(scores[row, first - 1]) if first else last_of_none
        for rank in range(n[row] - first):
            scores[row, first + rank] = last * (1.0 - (1.0 + rank) / (n[row] - first + 2.0))
        for item in ids[row, :first]:
            held[item] = False
