"""The golden set: users whose last clicks no model was trained on, to probe retrieval in production."""

from __future__ import annotations

import numpy as np

from sandbox.pipeline.events import Log
from sandbox.pipeline.features import Histories

N_USERS = 64
N_HELD_OUT = 10  # clicks of one user, the earliest after the cut


def golden_set(
    log: Log, histories: Histories, profile: np.ndarray, personalised: np.ndarray, cut_ts: float
) -> dict[str, np.ndarray]:
    """Users with a history before `cut_ts` and the most clicks since; training stops at `cut_ts`.

    profile: float32 [users, 36]. personalised: bool [users]. Returns user int64 [n], n <= 64;
    profile float32 [n, 36]; recent int64 [n, 20], clicks before the cut, newest first, -1 none;
    held_out int64 [n, 10], items clicked since, -1 none.
    """
    late = np.flatnonzero(log.clicked & (log.ts >= cut_ts))
    pairs = np.unique(np.stack([log.user[late], log.item[late]], 1).astype(np.int64), axis=0)
    count = np.bincount(pairs[:, 0], minlength=len(personalised))
    everybody = np.arange(len(personalised))
    recent = histories.recent(everybody, np.full(len(everybody), cut_ts))
    fit = personalised & ((recent >= 0).sum(axis=1) >= 3)
    user = np.argsort(-np.where(fit, count, 0), kind="stable")[:N_USERS]
    user = user[fit[user] & (count[user] > 0)].astype(np.int64)
    held_out = np.full((len(user), N_HELD_OUT), -1, np.int64)
    for row, who in enumerate(user.tolist()):
        items = pairs[pairs[:, 0] == who, 1]
        items = items[~np.isin(items, recent[who])][:N_HELD_OUT]
        held_out[row, : len(items)] = items
    return {
        "user": user,
        "profile": profile[user].astype(np.float32),
        "recent": recent[user].astype(np.int64),
        "held_out": held_out,
    }
