"""The models of a world: built once, kept by content hash, and trained anew for a release."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from sandbox.base import artefacts, sources
from sandbox.base.artefacts import Artefact, Lineage, Manifest
from sandbox.base.clock import DAY_S
from sandbox.base.features import USER_SESSION
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.streams import seed_of
from sandbox.pipeline import covisit, index, popular, ranker, training_set, two_tower
from sandbox.pipeline.events import Log, Source, read_manifest, read_source
from sandbox.pipeline.features import WINDOW_S, Histories, snapshot
from sandbox.pipeline.golden import golden_set
from sandbox.pipeline.metrics import ranker_metrics, tower_metrics
from sandbox.pipeline.ranker import RankerSettings
from sandbox.pipeline.training_set import Examples, Joined, Sampling, Stages
from sandbox.pipeline.two_tower import Pairs, TowerSettings
from services.model.core import dump, encode_items
from services.ranking.core import INPUTS

PREFIX = {"two_tower": "tt", "ranker": "rk", "index": "ix", "covisit": "cv", "popular": "pp", "features": "fs"}
N_TRAINING_ROWS = 5_000  # rows of the training set that are kept with the ranker, to be looked at


@dataclass(frozen=True)
class BuiltModels:
    """registry: directory of the artefacts. versions: artifact -> version."""

    registry: Path
    versions: dict[str, str]

    def artefact(self, name: str) -> Artefact:
        """Raises MODEL-001, MODEL-002."""
        return artefacts.load(self.registry, name, self.versions[name])


@dataclass(frozen=True)
class Recipe:
    """How long and on how much is trained; part of the content hash."""

    sampling: Sampling = field(default_factory=Sampling)
    tower: TowerSettings = field(default_factory=TowerSettings)
    ranker: RankerSettings = field(default_factory=RankerSettings)


def ensure_models(
    world_dir: Path, progress: ProgressFn = quiet, *, force: bool = False, recipe: Recipe | None = None
) -> BuiltModels:
    """The first generation (tt-1, rk-1, ix-1, cv-1, pp-1, fs-1), built if it is absent or out of date.

    Raises WORLD-001, WORLD-003, CFG-002. A build that is killed leaves every version whole or absent.
    """
    target = world_dir / "registry"
    built = BuiltModels(target, {name: f"{short}-1" for name, short in PREFIX.items()})
    recipe = recipe or recipe_for(world_dir)
    key = _key(world_dir, recipe, "first")
    if not force and _is_current(built, key):
        return built
    source = read_source(world_dir)
    seed = seed_of(source.manifest.seed, "models", 1)
    run = _Run(source, target, seed, key, "1", recipe, Stages(), progress)
    steps = (run.towers, run.ranker, run.lists, run.features)
    with one_thread_each(), ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(step) for step in steps]:
            job.result()
    if _key(world_dir, recipe, "first") != key:  # somebody was erased meanwhile: what was trained had seen them
        return ensure_models(world_dir, progress, recipe=recipe)
    return built


def train_release(
    world_dir: Path,
    *,
    seed: int,
    suffix: str,
    stages: Stages | None = None,
    artifacts: tuple[str, ...] = ("two_tower", "ranker"),
    registry_dir: Path | None = None,
    recipe: Recipe | None = None,
    progress: ProgressFn = quiet,
) -> BuiltModels:
    """Another generation: tt-`suffix` with ix-`suffix`, and rk-`suffix`, as `artifacts` names them.

    stages: wrapped steps of the training run, with a `key` that says what they do. registry_dir: where
    the versions go, default the world's registry; what was trained is kept in WORLD/registry-cache.
    """
    stages, recipe = stages or Stages(), recipe or recipe_for(world_dir)
    what = f"{seed}/{suffix}/{stages.key}/{','.join(artifacts)}"
    source_key = _key(world_dir, recipe, what)
    cache = world_dir / "registry-cache" / source_key
    names = [*artifacts, *(["index"] if "two_tower" in artifacts else [])]
    cached = BuiltModels(cache, {name: f"{PREFIX[name]}-{suffix}" for name in names})
    if not _is_current(cached, source_key):
        run = _Run(read_source(world_dir), cache, seed, source_key, suffix, recipe, stages, progress)
        jobs = {"two_tower": run.towers, "ranker": run.ranker}
        with one_thread_each(), ThreadPoolExecutor(2) as pool:
            for job in [pool.submit(jobs[name]) for name in artifacts]:
                job.result()
        if _key(world_dir, recipe, what) != source_key:  # as above
            return train_release(
                world_dir, seed=seed, suffix=suffix, stages=stages, artifacts=artifacts, registry_dir=registry_dir,
                recipe=recipe, progress=progress,
            )  # fmt: skip
    target = registry_dir or world_dir / "registry"
    for name, version in cached.versions.items():
        artefacts.copy(artefacts.load(cache, name, version), target)
    return BuiltModels(target, cached.versions)


def recipe_for(world_dir: Path) -> Recipe:
    """The default recipe: a log of ratings has many events for each user and bears more epochs."""
    return recipe_of(read_manifest(world_dir).has_negatives)


def recipe_of(has_negatives: bool) -> Recipe:
    """The same, by whether the log tells what was not chosen."""
    return Recipe() if has_negatives else Recipe(tower=TowerSettings(epochs=12))


class _Run:
    """One training run over one log. Its steps are independent, so that they may run side by side."""

    def __init__(
        self, source: Source, target: Path, seed: int, key: str, suffix: str,
        recipe: Recipe, stages: Stages, progress: ProgressFn,
    ) -> None:  # fmt: skip
        self.source, self.target, self.seed, self.key = source, target, seed, key
        self.suffix, self.recipe, self.stages, self.progress = suffix, recipe, stages, progress
        self.log, self.catalogue = stages.log(source.log), source.catalogue
        self.end_ts = source.manifest.history_end_ts
        self.joined = self._joined()
        self.cut_ts = _cut(self.log, self.end_ts, daily=source.manifest.has_negatives)

    def towers(self) -> None:
        """Two-tower and index."""
        joined = self.joined
        clicks = take(joined, joined.examples.click)
        pairs = Pairs(clicks.user, clicks.examples.item, clicks.profile, clicks.recent)
        late = clicks.examples.ts >= self.cut_ts
        train, held = take_pairs(pairs, ~late), take_pairs(pairs, late)
        model, loss = two_tower.train(
            train, self.catalogue, seed=self.seed, settings=self.recipe.tower, progress=self.progress
        )
        vectors = encode_items(model)
        metrics = {"loss": loss, **tower_metrics(model, vectors, held)}
        tensors, config = dump(model)
        lineage = _lineage(clicks.examples.take(~late))
        towers = self._register(
            "two_tower",
            {"model.safetensors": tensors},
            lineage,
            metrics=metrics,
            config={**config, "settings": asdict(self.recipe.tower)},
        )
        manifest, files = index.artefact(
            vectors, encoder_version=towers.version, version=f"ix-{self.suffix}", like=towers
        )
        artefacts.register(self.target, manifest, files, supersede=True)

    def ranker(self) -> None:
        """The multi-task ranker, with a sample of what it was trained on."""
        joined = self.joined
        held = joined.examples.ts >= self.cut_ts
        train = take(joined, ~held)
        model, loss = ranker.train(
            train, self.catalogue, seed=self.seed, settings=self.recipe.ranker, progress=self.progress
        )
        metrics = {"loss": loss, **ranker_metrics(model, take(joined, held), self.catalogue)}
        tensors, config = dump(model)
        files = {
            "model.safetensors": tensors,
            "training_rows.safetensors": training_sample(train, self.catalogue.user_personalised),
        }
        self._register(
            "ranker", files, _lineage(train.examples), metrics=metrics, inputs=list(INPUTS),
            config={**config, "settings": asdict(self.recipe.ranker)},
        )  # fmt: skip

    def lists(self) -> None:
        """Co-visitation and popular items."""
        daily, n_items = self.source.manifest.has_negatives, self.catalogue.n_items
        lineage = _lineage(training_set.examples_of(self.log, self.end_ts))
        ids, scores = covisit.neighbours(self.log, n_items, whole_user=not daily)
        packed = artefacts.pack_arrays({"items": ids, "scores": scores})
        self._register("covisit", {"neighbours.safetensors": packed}, lineage)
        half_life = {} if daily else {"half_life_s": self.end_ts - self.source.manifest.history_start_ts + 1}
        ids, scores = popular.by_region(self.log, self.catalogue, self.end_ts, **half_life)
        packed = artefacts.pack_arrays({"items": ids, "scores": scores})
        self._register("popular", {"popular.safetensors": packed}, lineage)

    def features(self) -> None:
        """Rows of every view as of the end of the history, for users who may be known."""
        window = WINDOW_S if self.source.manifest.has_negatives else np.inf
        shot = snapshot(self.log, self.catalogue, self.end_ts, window)
        user = np.flatnonzero(self.catalogue.user_personalised).astype(np.int64)
        histories, now = Histories(self.log, self.catalogue), np.full(len(user), self.end_ts)
        latest = histories.last_event(user, now)
        seen = histories.seen(user, now).astype(np.float32)
        # The row as the stream processor left it: at the user's last event, not at the end of the history.
        moment = np.where(np.isfinite(latest), np.nextafter(latest, np.inf), self.end_ts)
        session = histories.session_rows(user, moment)
        there = np.isfinite(latest)
        arrays = {
            "user_id": user, "user_profile": shot.profile[user], "item_stats": shot.stats,
            "stream_user_id": user[there], "stream_ts": latest[there],
            "user_session": session[there], "user_seen": seen[there],
        }  # fmt: skip
        assert arrays["user_session"].shape[1] == len(USER_SESSION.columns), "a column per feature"
        golden = golden_set(self.log, histories, shot.profile, self.catalogue.user_personalised, self.cut_ts)
        lineage = _lineage(training_set.examples_of(self.log, self.end_ts))
        config = {"as_of": self.end_ts, "window_s": min(window, self.end_ts)}
        self._register(
            "features",
            {
                "features.safetensors": artefacts.pack_arrays(arrays),
                "golden.safetensors": artefacts.pack_arrays(golden),
            },
            lineage,
            config=config,
        )

    def _joined(self) -> Joined:
        """The training set of both models, with its features."""
        has_negatives, n_items = self.source.manifest.has_negatives, self.catalogue.n_items
        sampling = self.recipe.sampling
        if not has_negatives:
            sampling = replace(sampling, days=np.inf)
        examples = training_set.examples_of(self.log, self.end_ts)
        examples = training_set.sampled(examples, sampling, self.seed)
        if not has_negatives:
            examples = training_set.with_negatives(examples, n_items, self.seed)
        return training_set.join(
            self.stages.training_set(examples), self.log, self.catalogue, seed=self.seed, has_negatives=has_negatives
        )

    def _register(
        self, artifact: str, files: dict[str, bytes], lineage: Lineage, *,
        metrics: dict[str, float] | None = None, config: Mapping[str, object] | None = None,
        inputs: list[str] | None = None, parents: dict[str, str] | None = None,
    ) -> Manifest:  # fmt: skip
        manifest = Manifest(
            artifact=artifact, version=f"{PREFIX[artifact]}-{self.suffix}", created_ts=self.end_ts,
            code_hash=code_hash(), seed=self.seed, data=lineage, metrics=metrics or {},
            parents=parents or {}, inputs=inputs or [], config={**(config or {}), "key": self.key},
        )  # fmt: skip
        return artefacts.register(self.target, manifest, files, supersede=True).manifest


def take(joined: Joined, rows: np.ndarray) -> Joined:
    """The rows of a mask."""
    return Joined(
        joined.examples.take(rows), joined.user[rows], joined.profile[rows], joined.recent[rows],
        joined.x[rows], joined.as_of[rows],
    )  # fmt: skip


def take_pairs(pairs: Pairs, rows: np.ndarray) -> Pairs:
    """The rows of a mask."""
    return Pairs(pairs.user[rows], pairs.item[rows], pairs.profile[rows], pairs.recent[rows])


def training_sample(joined: Joined, personalised: np.ndarray) -> bytes:
    """A sample of the training set as safetensors: evenly over its rows. Of users who may not be known nothing was
    joined to their rows, and their number is not kept either: -1. personalised: bool [users]."""
    n = len(joined.examples)
    rows = np.unique(np.linspace(0, max(n - 1, 0), min(n, N_TRAINING_ROWS)).astype(np.int64))
    e = joined.examples.take(rows)
    return artefacts.pack_arrays(
        {
            "user_id": np.where(personalised[e.user], e.user, -1), "item_id": e.item, "position": e.position, "weight": e.weight,
            "click": e.click.astype(np.uint8), "long_dwell": e.long_dwell.astype(np.uint8),
            "conversion": e.conversion.astype(np.uint8), "event_ts": e.ts, "label_ts": e.label_ts,
            "feature_as_of": joined.as_of[rows],
        }
    )  # fmt: skip


def code_hash() -> str:
    """A hash of the source files that decide what comes out of a build, 16 digits."""
    return sources.code_hash(__name__)[:16]


def _key(world_dir: Path, recipe: Recipe, what: str) -> str:
    world = read_manifest(world_dir).content_hash
    text = json.dumps([world, code_hash(), asdict(recipe), what])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_current(built: BuiltModels, key: str) -> bool:
    for name, version in built.versions.items():
        path = built.registry / name / version / "manifest.json"
        if not path.exists():
            return False
        if artefacts.describe(built.registry, name, version).manifest.config.get("key") != key:
            return False
    return True


def _cut(log: Log, end_ts: float, *, daily: bool) -> float:
    """Where training stops and the held-out rows begin: the last day, or the last twentieth."""
    if daily or len(log) == 0:
        return end_ts - DAY_S
    return float(log.ts[int(len(log) * 0.95)])


def _lineage(examples: Examples) -> Lineage:
    if len(examples) == 0:
        return Lineage(from_ts=0.0, to_ts=0.0, rows=0, digest=examples.digest())
    return Lineage(
        from_ts=float(examples.ts[0]),
        to_ts=float(examples.ts[-1]),
        rows=len(examples),
        digest=examples.digest(),
        label_window_h=training_set.LABEL_WINDOW_H,
        pos_rate=float(np.average(examples.click, weights=examples.weight)),
    )


@contextmanager
def one_thread_each() -> Iterator[None]:
    """One torch thread per job: two jobs fill two cores, and sums come in one order on any machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
