"""Evaluation splits of a world's interactions, by the name of their protocol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms
from sandbox.pipeline.events import Log

RANKING = {
    "P1": "every interaction positive; 8:1:1 at random within each user",
    "P2": "the last interaction of each user is the test, the one before validates; likes where there are any",
    "P3": "likes where there are any, else every interaction; 8:1:1 at random within each user",
}
AUC = {
    "random-auc": "rows 8:1:1 at random; label: liked where the log holds only choices, else clicked",
    "time-auc": "rows 80:10:10 by time; the same label",
}
TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Split:
    """log: one row per (user, item), by time. part: int8 [n], TRAIN, VALIDATION or TEST.

    by_time: within a user, the test comes after everything else.
    """

    log: Log
    part: np.ndarray
    by_time: bool


def check_protocol(name: str) -> None:
    """Raises MODEL-004 for a name that is no protocol."""
    known = [*RANKING, *AUC]
    if name not in known:
        raise SandboxError(
            "MODEL-004",
            where="--protocol",
            seen=name,
            expected=f"one of {known}",
            fix="see what each one does: sandbox model evaluate --help",
        )


def split(log: Log, protocol: str, seed: int) -> Split:
    """The interactions of a full-ranking protocol, each with its part. Raises MODEL-004."""
    check_protocol(protocol)
    likes_only = protocol in ("P2", "P3") and bool(log.liked.any()) and not bool(np.isfinite(log.dwell_s).any())
    chosen = log.take(log.liked if likes_only else log.clicked)
    chosen = _once(chosen)
    if protocol == "P2":
        popular = np.bincount(chosen.item)[chosen.item] >= 5
        chosen = chosen.take(popular)
        return Split(chosen, _last_out(chosen), by_time=True)
    return Split(chosen, _random(chosen, seed), by_time=False)


def random_parts(n: int, seed: int) -> np.ndarray:
    """int8 [n]: 8:1:1 by chance."""
    draw = uniforms(seed, "evaluation rows", np.arange(n))
    return np.where(draw < 0.8, TRAIN, np.where(draw < 0.9, VALIDATION, TEST)).astype(np.int8)


def time_parts(n: int) -> np.ndarray:
    """int8 [n]: the first 80 %, the next 10 %, the last 10 % of rows sorted by time."""
    at = np.arange(n)
    return np.where(at < 0.8 * n, TRAIN, np.where(at < 0.9 * n, VALIDATION, TEST)).astype(np.int8)


def _once(log: Log) -> Log:
    """The first of the rows of each (user, item)."""
    key = log.user.astype(np.int64) * (int(log.item.max(initial=0)) + 1) + log.item
    return log.take(np.sort(np.unique(key, return_index=True)[1]))


def _random(log: Log, seed: int) -> np.ndarray:
    draw = uniforms(seed, "evaluation split", log.user, log.item)
    part, rank, n = np.zeros(len(log), np.int8), *_place(log.user, draw)
    tenth = np.maximum(np.round(n / 10), 1)
    part[rank < 2 * tenth] = VALIDATION
    part[rank < tenth] = TEST
    part[n < 3] = TRAIN  # too few to be asked about
    return part


def _last_out(log: Log) -> np.ndarray:
    rank, n = _place(log.user, -log.ts)
    part = np.where(rank == 0, TEST, np.where(rank == 1, VALIDATION, TRAIN))
    return np.where(n < 3, TRAIN, part).astype(np.int8)


def _place(user: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row: its rank by value among the rows of its user, and how many those are."""
    order = np.lexsort((np.arange(len(user)), value, user))
    count = np.bincount(user)
    start = np.cumsum(count) - count
    rank = np.empty(len(user), np.int64)
    rank[order] = np.arange(len(user)) - start[user[order]]
    return rank, count[user]
