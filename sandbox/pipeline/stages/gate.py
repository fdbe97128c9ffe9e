"""Gate: whether the new ranker may go on. Not enough evidence is no pass: it holds."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sandbox.base.streams import seed_of, stream
from sandbox.pipeline.metrics import auc
from sandbox.pipeline.stages.arrays import read_columns, write_columns
from sandbox.pipeline.stages.slices import unsupported
from sandbox.pipeline.stages.spec import Stage, Tally, Work

REPEATS = 100
MOST_ROWS = 40_000  # that the interval is drawn from
Verdict = Literal["pass", "fail", "hold"]


def judge(low: float, high: float, margin: float) -> Verdict:
    """Of an interval of new minus old: passes where even its lower end is above -margin, fails where even the upper
    one is below, and holds where the rows cannot tell."""
    if low > -margin:
        return "pass"
    return "fail" if high < -margin else "hold"


def interval(
    click: np.ndarray, new: np.ndarray, old: np.ndarray | float, user: np.ndarray, seed: int
) -> tuple[float, float, float]:
    """(difference of AUC, 95 % interval), by drawing users with repetition: rows of one user are alike.

    old: the other model's scores, or an AUC to compare with.
    """
    codes, owner = np.unique(user, return_inverse=True)
    order = np.argsort(owner, kind="stable")
    begin = np.searchsorted(owner[order], np.arange(len(codes) + 1))
    draw = stream(seed, "gate")

    def difference(rows: np.ndarray) -> float:
        return auc(click[rows], new[rows]) - (old if isinstance(old, float) else auc(click[rows], old[rows]))

    found = []
    for _ in range(REPEATS):
        drawn = draw.integers(0, len(codes), len(codes))
        rows = np.concatenate([order[begin[u] : begin[u + 1]] for u in drawn])
        found.append(difference(rows))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return difference(np.arange(len(click))), float(low), float(high)


def run(work: Work) -> Tally:
    settings, column = work.config.gate, read_columns(work.reads["predictions"][0])
    n = len(column["click"])
    rows = np.unique(np.linspace(0, max(n - 1, 0), min(n, MOST_ROWS)).astype(np.int64)) if n else np.zeros(0, np.int64)
    click, new, user = column["click"][rows], column["p_candidate"][rows], column["user_id"][rows]
    old: np.ndarray | float = column["p_live"][rows] if "p_live" in column else settings.least_auc
    against = "live" if "p_live" in column else "least_auc"
    why = unsupported(len(click), int(click.sum()))
    if why:
        verdict, found = "hold", (np.nan, np.nan, np.nan)
    else:
        found = interval(click, new, old, user, seed_of(work.config.seed, "pipeline", "gate"))
        verdict, why = judge(found[1], found[2], settings.margin if against == "live" else 0.0), "interval by users"
    write_columns(
        work.file("gate"),
        {
            "against": np.array([against]), "metric": np.array(["auc"]), "difference": np.array([found[0]]),
            "low": np.array([found[1]]), "high": np.array([found[2]]), "verdict": np.array([verdict]),
            "reason": np.array([why]),
        },
    )  # fmt: skip
    return Tally(n, 1, {"not_looked_at": n - len(rows)} if n > len(rows) else {}, None)


STAGE = Stage(
    "gate",
    ("predictions", "slices"),
    ("gate",),
    ("gate", "seed"),
    run,
    "pass, fail or hold: not enough evidence promotes nothing",
)
