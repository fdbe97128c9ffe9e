"""Training set: rows to learn from, each with the features that were known before it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from sandbox.base.features import N_RECENT, USER_PROFILE
from sandbox.base.streams import seed_of
from sandbox.pipeline import training_set
from sandbox.pipeline.stages.arrays import log_of, read_columns, snapshots_of, write_columns
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work
from sandbox.pipeline.training_set import Examples, Joined, Sampling
from services.ranking.core import INPUTS

_RENAMED = {"user": "user_id", "item": "item_id"}
_KNOWN = ("known", "feature_as_of")
_RECENT = tuple(f"recent_{i:02d}" for i in range(N_RECENT))


def run(work: Work) -> Tally:
    log, catalogue = log_of(work.reads["labels"][0]), work.catalogue
    seed, settings = seed_of(work.config.seed, "pipeline", "training set"), work.config.training
    examples = training_set.examples_of(log, work.as_of)
    n_in = len(examples)
    sampling = Sampling(settings.max_rows, settings.days if work.has_negatives else np.inf)
    kept = training_set.sampled(examples, sampling, seed)
    older = int((examples.ts < examples.ts[-1] - sampling.days * training_set.DAY_S).sum()) if n_in else 0
    dropped = {"before_the_window": older, "not_sampled": n_in - older - len(kept)}
    if not work.has_negatives:
        kept = training_set.with_negatives(kept, catalogue.n_items, seed)
    work.progress("training_set", None)
    taken = snapshots_of(work.reads["user_profile"][0], work.reads["item_stats"][0], catalogue.n_users)
    joined = training_set.join(kept, log, catalogue, seed=seed, has_negatives=work.has_negatives, taken=taken)
    _write(work, joined)
    newest = float(examples.ts[-1]) if n_in else None
    return Tally(n_in, len(kept), {r: n for r, n in dropped.items() if n > 0}, newest)


def read_joined(examples: Path, tower_rows: Path) -> tuple[Joined, Joined]:
    """(the ranker's rows without what the towers read, the clicked rows without the ranker's matrix)."""
    column = read_columns(examples)
    rows = Examples(**{f.name: column[_RENAMED.get(f.name, f.name)] for f in fields(Examples)})
    user = np.where(column["known"], rows.user, -1)
    x = np.stack([column[name] for name in INPUTS if name in column], 1)
    none = np.zeros((len(rows), 0), np.float32)
    ranker = Joined(rows, user, none, none.astype(np.int64), x, column["feature_as_of"])
    clicked = np.flatnonzero(rows.click)
    tower = read_columns(tower_rows)
    profile = np.stack([tower[name] for name in USER_PROFILE.columns], 1)
    recent = np.stack([tower[name] for name in _RECENT], 1)
    towers = Joined(rows.take(clicked), user[clicked], profile, recent, x[:0], ranker.as_of[clicked])
    return ranker, towers


def _write(work: Work, joined: Joined) -> None:
    e = joined.examples
    inputs = {name: joined.x[:, i] for i, name in enumerate(INPUTS) if name in work.config.training.inputs}
    columns = {_RENAMED.get(f.name, f.name): getattr(e, f.name) for f in fields(Examples)}
    known = dict(zip(_KNOWN, (joined.user >= 0, joined.as_of), strict=True))
    write_columns(work.file("examples"), columns | known | inputs)
    clicked = np.flatnonzero(e.click)
    write_columns(
        work.file("tower_rows"),
        {"user_id": e.user[clicked], "item_id": e.item[clicked]}
        | {name: joined.profile[clicked, i] for i, name in enumerate(USER_PROFILE.columns)}
        | {name: joined.recent[clicked, i] for i, name in enumerate(_RECENT)},
    )


STAGE = Stage(
    "training_set",
    ("labels", "user_profile", "item_stats", f"{SOURCE}catalogue"),
    ("examples", "tower_rows"),
    ("as_of", "has_negatives", "seed", "training"),
    run,
    "rows to learn from, with the features that were known before each",
)
