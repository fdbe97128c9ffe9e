"""Features: batch features as of the beginning of each day, and as of the end, by the code that serving's are made by."""

from __future__ import annotations

import numpy as np

from sandbox.base.clock import DAY_S
from sandbox.pipeline.features import WINDOW_S, snapshot
from sandbox.pipeline.stages.arrays import log_of, snapshot_columns, write_columns
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work


def moments(ts: np.ndarray, days: float, as_of: float, has_negatives: bool) -> list[float]:
    """World seconds at which batch features are taken: each midnight before a row of the training set, and as_of.
    A log of choices spans years, and takes its own at sixteen places (training_set)."""
    if not has_negatives or len(ts) == 0:
        return [as_of]
    first = np.floor(max(ts[0], ts[-1] - days * DAY_S) / DAY_S) * DAY_S
    midnights = np.arange(first, ts[-1] + DAY_S, DAY_S)
    return [*midnights[midnights <= ts[-1]].tolist(), as_of]


def run(work: Work) -> Tally:
    log, catalogue = log_of(work.reads["labels"][0]), work.catalogue
    window = WINDOW_S if work.has_negatives else np.inf
    at = moments(log.ts, work.config.training.days, work.as_of, work.has_negatives)
    shots = []
    for i, ts in enumerate(at):
        work.progress("features", i / len(at))
        shots.append(snapshot(log, catalogue, ts, window))
    users = np.unique(log.user)
    people, things = snapshot_columns(shots, users)
    n = write_columns(work.file("user_profile"), people) + write_columns(work.file("item_stats"), things)
    return Tally(len(log), n, {}, float(log.ts[-1]) if len(log) else None)


STAGE = Stage(
    "features",
    ("labels", f"{SOURCE}catalogue"),
    ("user_profile", "item_stats"),
    ("as_of", "has_negatives", "training"),
    run,
    "batch features as of each midnight and of the end, from what was known then",
)
