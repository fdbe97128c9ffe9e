"""Retraining on what the weeks brought: the pipeline's own steps over a log that grew since the history."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.memory import give_back
from sandbox.base.streams import seed_of
from sandbox.pipeline import covisit, popular, ranker, training_set, two_tower
from sandbox.pipeline.build import Recipe, code_hash, take_pairs
from sandbox.pipeline.events import Log
from sandbox.pipeline.features import Snapshot
from sandbox.pipeline.metrics import ranker_metrics, tower_metrics
from sandbox.pipeline.training_set import Joined, Sampling
from sandbox.pipeline.two_tower import Pairs, TowerSettings
from services.model.core import dump, encode_items
from services.ranking.core import INPUTS

MODELS = ("two_tower", "ranker")
# A weekly training sees fewer of the rows without a click, and every click once less, than the first
# generation: three in a month have to fit into minutes beside half a million requests.
WEEKLY = Recipe(sampling=Sampling(max_rows=400_000), tower=TowerSettings(epochs=2))
_PREFIX = {"two_tower": "tt", "ranker": "rk"}


@dataclass(frozen=True)
class Trained:
    """versions: artifact -> version. rows: examples before the held-out day. metrics: on that day."""

    versions: dict[str, str]
    rows: int
    metrics: dict[str, float]


def train(
    log: Log, catalogue: Catalogue, now: float, *, models: Sequence[str], suffix: str, seed: int,
    target: Path, recipe: Recipe | None = None, taken: Mapping[float, Snapshot] | None = None,
) -> Trained:  # fmt: skip
    """Another generation from what is known at `now` (world seconds), registered in `target`.

    The last day is held out for the metrics. models: of MODELS. taken: nightly features of this
    log, by their time. Same log and seed, same weights.
    """
    recipe = recipe or WEEKLY
    recent = training_set.examples_of(log, now, recipe.sampling.days)
    examples = training_set.sampled(recent, recipe.sampling, seed)
    del recent  # several times as many rows as were sampled
    give_back()
    joined = training_set.join(examples, log, catalogue, seed=seed, taken=taken or {})
    give_back()  # every user's history was as much as what was joined
    late = joined.examples.ts >= now - DAY_S
    made = _Generation(joined, late, catalogue, now, suffix, seed, target, recipe)
    steps = {"two_tower": made.towers, "ranker": made.ranker}
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # one each: sums come in one order, and the two share the cores
    try:
        with ThreadPoolExecutor(2) as pool:
            metrics = [job.result() for job in [pool.submit(steps[model]) for model in models]]
    finally:
        torch.set_num_threads(before)
    return Trained(
        {model: f"{_PREFIX[model]}-{suffix}" for model in models},
        int((~late).sum()),
        {name: value for of in metrics for name, value in of.items()},
    )


def warm_up() -> None:
    """Loads what the first step of an optimiser would load, seconds of it, while everybody waits."""
    importlib.import_module("torch._dynamo")


def write_popular(log: Log, catalogue: Catalogue, now: float, target: Path, seed: int) -> None:
    """The popular items as of `now`, under the version that retrieval reads."""
    ids, scores = popular.by_region(log, catalogue, now)
    _write_list(
        "popular", artefacts.POPULAR_VERSION, "popular.safetensors", {"items": ids, "scores": scores}, now, target, seed
    )


def write_covisit(log: Log, catalogue: Catalogue, now: float, target: Path, seed: int) -> None:
    """Co-visitation as of `now`, under the version that retrieval reads."""
    ids, scores = covisit.neighbours(log.clicks_before(now), catalogue.n_items)
    _write_list("covisit", artefacts.COVISIT_VERSION, "neighbours.safetensors",
                {"items": ids, "scores": scores}, now, target, seed)  # fmt: skip


@dataclass(frozen=True)
class _Generation:
    """One training set and what is made of it."""

    joined: Joined
    late: np.ndarray
    catalogue: Catalogue
    now: float
    suffix: str
    seed: int
    target: Path
    recipe: Recipe

    def towers(self) -> dict[str, float]:
        joined, click = self.joined, self.joined.examples.click
        late = self.late[click]
        pairs = Pairs(joined.user[click], joined.examples.item[click], joined.profile[click], joined.recent[click])
        model, loss = two_tower.train(
            take_pairs(pairs, ~late), self.catalogue, seed=seed_of(self.seed, "towers"), settings=self.recipe.tower
        )
        metrics = {"loss": loss, **tower_metrics(model, encode_items(model), take_pairs(pairs, late))}
        tensors, config = dump(model)
        self._register("two_tower", tensors, config, metrics, asdict(self.recipe.tower), [])
        return {f"two_tower.{name}": value for name, value in metrics.items()}

    def ranker(self) -> dict[str, float]:
        model, loss = ranker.train(
            self._of_ranker(~self.late), self.catalogue, seed=seed_of(self.seed, "ranker"), settings=self.recipe.ranker
        )
        held = self._of_ranker(self.late)
        metrics = {"loss": loss, **ranker_metrics(model, held, self.catalogue)}
        tensors, config = dump(model)
        self._register("ranker", tensors, config, metrics, asdict(self.recipe.ranker), list(INPUTS))
        return {f"ranker.{name}": value for name, value in metrics.items()}

    def _of_ranker(self, rows: np.ndarray) -> Joined:
        """The rows of a mask, without what only the towers read: it is as much again."""
        joined = self.joined
        return Joined(
            joined.examples.take(rows), joined.user[rows], joined.profile[:0], joined.recent[:0],
            joined.x[rows], joined.as_of[rows],
        )  # fmt: skip

    def _register(
        self, artifact: str, tensors: bytes, config: dict[str, Any], metrics: dict[str, float],
        settings: dict[str, Any], inputs: list[str],
    ) -> None:  # fmt: skip
        examples = self.joined.examples.take(~self.late)
        n = len(examples)
        data = Lineage(
            from_ts=float(examples.ts[0]) if n else 0.0,
            to_ts=float(examples.ts[-1]) if n else 0.0,
            rows=n,
            digest=examples.digest(),
            label_window_h=training_set.LABEL_WINDOW_H,
            pos_rate=float(np.average(examples.click, weights=examples.weight)) if n else 0.0,
        )
        manifest = Manifest(
            artifact=artifact, version=f"{_PREFIX[artifact]}-{self.suffix}", created_ts=self.now,
            code_hash=code_hash(), seed=self.seed, data=data, metrics=metrics, inputs=inputs,
            config={**config, "settings": settings},
        )  # fmt: skip
        artefacts.register(self.target, manifest, {"model.safetensors": tensors})


def _write_list(
    artifact: str, version: str, name: str, arrays: dict[str, np.ndarray], now: float, target: Path, seed: int
) -> None:
    data = Lineage(from_ts=0.0, to_ts=now, rows=0, digest="")
    manifest = Manifest(artifact=artifact, version=version, created_ts=now, code_hash=code_hash(), seed=seed, data=data)
    artefacts.register(target, manifest, {name: artefacts.pack_arrays(arrays)}, supersede=True)
