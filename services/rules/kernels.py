"""The loops of `many` and `selection_many`, request by request. Rows are requests, columns candidates; arrays
as `laid`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.base.compiled import compiled

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

SEEN, BLOCKED, REGION, MATURITY, SENSITIVITY = range(5)  # the hard rules' codes
CLOSED = np.float32(-np.inf)  # worth of a row that is taken or lost


@compiled
def grid(ids: Ints, scores: Floats, sizes: Ints, width: int, n_items: int) -> tuple[Ints, Floats, Bools, Bools]:
    """Lists laid end to end as items and scores [b, width], 0 beyond the end, where there is one, and by
    request whether it has candidates that are all known, all different and of a finite score."""
    items = np.zeros((len(sizes), width), np.int64)
    worth, there = np.zeros(items.shape, np.float32), np.zeros(items.shape, np.bool_)
    usable, last, begin = np.ones(len(sizes), np.bool_), np.full(n_items, -1, np.int64), 0
    for row in range(len(sizes)):
        usable[row] = sizes[row] > 0
        for at in range(sizes[row]):
            item, score = ids[begin + at], scores[begin + at]
            there[row, at], worth[row, at] = True, score
            if not 0 <= item < n_items or last[item] == row or not np.isfinite(score):
                usable[row] = False
            if 0 <= item < n_items:
                items[row, at], last[item] = item, row
        begin += sizes[row]
    return items, worth, there, usable


@compiled
def refuse(
    rules: Ints, items: Ints, there: Bools, user: Ints, region: Ints, now: Doubles, seen: Ints,
    n_seen: Ints, blocked_indptr: Ints, blocked: NDArray[np.int32], bands: NDArray[np.int8], years: Ints,
    minors: Ints, creators: NDArray[np.int32], regions: NDArray[np.uint16], maturity: NDArray[np.int8],
    sensitive: Bools, label_delay_s: float, published: Doubles,
) -> tuple[Ints, Ints, Ints]:  # fmt: skip
    """Takes from `there` what the first of the rules refuses, by codes in order. bands: of age, by user; years
    and minors: by band. Returns the candidates' columns and items, laid end to end rule after rule and request
    after request, and how many, [rules, b]."""
    by, counts = np.full(items.shape, -1, np.int64), np.zeros((len(rules), len(items)), np.int64)
    shown, begin, n_refused = np.zeros(len(creators), np.bool_), 0, 0
    for row in range(len(items)):
        mine = seen[begin : begin + n_seen[row]]
        begin += n_seen[row]
        for item in mine:
            if 0 <= item < len(shown):
                shown[item] = True
        blocks, band = blocked[:0], np.int64(0)
        if 0 <= user[row] < len(bands):
            blocks = blocked[blocked_indptr[user[row]] : blocked_indptr[user[row] + 1]]
            band = np.int64(bands[user[row]])
        for at in range(items.shape[1]):
            if not there[row, at]:
                continue
            item = items[row, at]
            for i in range(len(rules)):
                rule, refused = rules[i], False
                if rule == SEEN:
                    refused = shown[item]
                elif rule == BLOCKED:
                    for creator in blocks:
                        refused |= creator == creators[item]
                elif rule == REGION:
                    refused = (np.int64(regions[item]) >> region[row]) & 1 == 0
                elif rule == MATURITY:
                    refused = maturity[item] > years[band]
                else:
                    refused = sensitive[minors[band], item]
                    if label_delay_s != 0 and published[item] + label_delay_s > now[row]:
                        refused = False
                if refused:
                    there[row, at], by[row, at] = False, i
                    counts[i, row] += 1
                    n_refused += 1
                    break
        for item in mine:
            if 0 <= item < len(shown):
                shown[item] = False
    columns, refused_items, held = np.empty(n_refused, np.int64), np.empty(n_refused, np.int64), 0
    for i in range(len(rules)):
        for row in range(len(items)):
            if counts[i, row]:
                for at in range(items.shape[1]):
                    if by[row, at] == i:
                        columns[held], refused_items[held] = at, items[row, at]
                        held += 1
    return columns, refused_items, counts


@compiled
def line_up(
    order: Ints, items: Ints, worth: Doubles, there: Bools, creators: NDArray[np.int32], sponsored: Bools
) -> tuple[Ints, Floats, NDArray[np.int32], Ints, Ints]:
    """Items, scores and creators in this order, how many of each row are there, and the place of the first
    sponsored one, -1 for none."""
    of, score = np.empty(items.shape, np.int64), np.empty(items.shape, np.float32)
    whose, n = np.empty(items.shape, np.int32), np.zeros(len(items), np.int64)
    first = np.full(len(items), -1, np.int64)
    for row in range(len(items)):
        for at in range(items.shape[1]):
            n[row] += there[row, at]
            item = items[row, order[row, at]]
            of[row, at], whose[row, at] = item, creators[item]
            score[row, at] = worth[row, order[row, at]]
        for at in range(n[row]):
            if sponsored[of[row, at]]:
                first[row] = at
                break
    return of, score, whose, n, first


@compiled
def opened(score: Floats, n: Ints, weight: np.float32) -> Floats:
    """Weighted worth: scores, descending, scaled to 0..1, all 1 when they are equal; the first n of each row
    are open."""
    worth = np.full(score.shape, CLOSED)
    for row in range(len(n)):
        if n[row] == 0:
            continue
        last = score[row, n[row] - 1]
        span = score[row, 0] - last
        for at in range(n[row]):
            worth[row, at] = weight * ((score[row, at] - last) / span if span > 0 else np.float32(1))
    return worth


@compiled
def take(
    row: int, at: int, slot: int, worth: Floats, creator: NDArray[np.int32], n: Ints,
    held: NDArray[np.int32], most: int, capped: Ints, n_capped: int,
) -> int:  # fmt: skip
    """Closes a row, and the others of its creator when that one is full. n: open rows. held: [b, slots + 1],
    creators of what was taken, -1: none. capped: request, row and count of what is lost; returns how many."""
    whose, count = creator[row, at], 1
    for other in held[row]:
        count += other == whose
    worth[row, at], held[row, slot] = CLOSED, whose
    n[row] -= 1
    if count >= most:
        for other in range(worth.shape[1]):
            if creator[row, other] == whose and worth[row, other] > CLOSED:
                worth[row, other] = CLOSED
                n[row] -= 1
                capped[n_capped, 0], capped[n_capped, 1], capped[n_capped, 2] = row, other, count
                n_capped += 1
    return n_capped


@compiled
def fill(
    slot: int, pin: Ints, share: float, chance: Doubles, against: np.float32, topics: Floats,
    chosen_topics: Floats, near: Floats, closest: Floats, worth: Floats, creator: NDArray[np.int32], n: Ints, held: NDArray[np.int32],
    most: int, capped: Ints, n_capped: int, rows: Ints, propensity: Doubles, randomised: Bools,
    whole: Bools,
) -> int:  # fmt: skip
    """One slot of every request. pin: the row that stands there, -1 for none. chosen_topics: [b, t, 1], of
    the item put there. near: [b, m, 1], cosine to the one above. Returns how many are capped."""
    for row in range(len(n)):
        best, most_gain, count = 0, CLOSED, n[row]
        for at in range(worth.shape[1]):
            closest[row, at] = max(closest[row, at], near[row, at, 0])
            gain = worth[row, at] - closest[row, at] * against
            if gain > most_gain:
                best, most_gain = at, gain
        chosen, lot = best, chance[row, slot]
        if pin[row] >= 0:
            chosen = pin[row]
        elif count <= 0:
            whole[row] = False
        else:
            if lot < share:
                randomised[row, slot] = True
                nth, chosen = min(np.int64(lot / share * count), count - 1), -1
                while nth >= 0:
                    chosen += 1
                    nth -= worth[row, chosen] > CLOSED
            propensity[row, slot] = share / count + (1 - share) * (chosen == best)
            n_capped = take(row, chosen, slot + 1, worth, creator, n, held, most, capped, n_capped)
        rows[row, slot] = chosen
        for topic in range(topics.shape[2]):
            chosen_topics[row, topic, 0] = topics[row, chosen, topic]
    return n_capped
