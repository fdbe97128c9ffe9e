"""Train: two-tower and ranker on the training set, but for the rows held out at its end."""

from __future__ import annotations

import json

import numpy as np

from sandbox.base.clock import DAY_S
from sandbox.base.streams import seed_of
from sandbox.pipeline.stages.arrays import write_columns
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work

LATE_SHARE = 0.05  # of a log of choices, held out


def held_out_from(ts: np.ndarray, as_of: float, has_negatives: bool) -> float:
    """World seconds: rows from here on are held out. The last day, or the last twentieth of a log of choices."""
    if has_negatives or len(ts) == 0:
        return as_of - DAY_S
    return float(ts[int(len(ts) * (1 - LATE_SHARE))])


def run(work: Work) -> Tally:
    # torch takes seconds to import: only who trains waits for it.
    from sandbox.pipeline import ranker, two_tower
    from sandbox.pipeline.build import one_thread_each, recipe_of, take, take_pairs
    from sandbox.pipeline.metrics import ranker_metrics, tower_metrics
    from sandbox.pipeline.stages.training import read_joined
    from sandbox.pipeline.two_tower import Pairs
    from services.model.core import dump, encode_items

    seed, recipe = seed_of(work.config.seed, "pipeline", "train"), recipe_of(work.has_negatives)
    rows, clicks = read_joined(work.reads["examples"][0], work.reads["tower_rows"][0])
    cut = held_out_from(rows.examples.ts, work.as_of, work.has_negatives)
    late, late_clicks = rows.examples.ts >= cut, clicks.examples.ts >= cut
    pairs = Pairs(clicks.user, clicks.examples.item, clicks.profile, clicks.recent)
    with one_thread_each():
        towers, tower_loss = two_tower.train(
            take_pairs(pairs, ~late_clicks), work.catalogue, seed=seed, settings=recipe.tower, progress=work.progress
        )
        model, loss = ranker.train(
            take(rows, ~late), work.catalogue, seed=seed, settings=recipe.ranker, inputs=work.config.training.inputs,
            progress=work.progress,
        )  # fmt: skip
    vectors = encode_items(towers)
    documents = {}
    for name, trained, losses, metrics in (
        ("two_tower", towers, tower_loss, tower_metrics(towers, vectors, take_pairs(pairs, late_clicks))),
        ("ranker", model, loss, ranker_metrics(model, take(rows, late), work.catalogue)),
    ):
        tensors, config = dump(trained)
        work.file(f"{name}.safetensors").write_bytes(tensors)
        documents[name] = {"config": config, "metrics": {"loss": losses, **metrics}}
    n_train = int((~late).sum())
    document = {
        "models": documents,
        "cut_ts": cut,
        "seed": seed,
        "rows": n_train,
        "inputs": work.config.training.inputs,
    }
    work.file("trained.json").write_text(json.dumps(document, indent=1))
    seen = np.unique(rows.examples.user[~late])  # also those learned from as unknown: their events were read
    write_columns(work.file("seen_users"), {"user_id": seen})
    newest = float(rows.examples.ts[-1]) if len(rows.examples) else None
    return Tally(len(late), n_train, {"held_out": int(late.sum())}, newest)


STAGE = Stage(
    "train",
    ("examples", "tower_rows", f"{SOURCE}catalogue"),
    ("two_tower.safetensors", "ranker.safetensors", "trained.json", "seen_users"),
    ("as_of", "has_negatives", "seed", "training"),
    run,
    "two-tower and ranker, on all rows but those held out at the end",
)
