"""The models that a drill's releases will bring, made ready before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from faults.catalogue import fault_named
from faults.stages import INDEX_ROWS, PIPELINE, TRAINING_LOG, armed_stages, made, stages_for
from sandbox.base.catalogue import Catalogue
from sandbox.base.progress import ProgressFn
from sandbox.drill.play import rollout
from sandbox.drill.scenario.scenario import Scenario, Step
from sandbox.pipeline.events import read_manifest
from sandbox.pipeline.ivf import register_inverted
from sandbox.pipeline.stages.engine import Armed
from sandbox.pipeline.training_set import Stages

RELEASE_SEED = 1  # of the trainings behind releases: one cache for all drills of a world


def stage_models(scenario: Scenario, world_dir: Path, registry: Path, *, faults: bool, progress: ProgressFn) -> None:
    """Trains, or takes from the cache, the versions that the scenario's releases bring.

    registry: RUN/registry, where services look first. What a release brings waits in `COMING` below it and is
    among the versions there are from the release on. faults: False trains them on the whole log. Raises
    MODEL-*, WORLD-*.
    """
    from sandbox.pipeline.build import train_release  # torch: only when a scenario needs it
    from sandbox.pipeline.stages.release import train_for_release

    def told(what: str, share: float | None) -> None:
        progress(f"models: {what}", share)

    coming = registry / rollout.COMING
    shutil.rmtree(coming, ignore_errors=True)  # of a drill in this directory that ended before its release
    for step in scenario.timeline:
        if step.release is None:
            continue
        if step.release.inverted_file is not None:
            how, version = step.release.inverted_file, step.release.index_version
            assert version is not None  # the scenario was checked
            places = (coming, registry, world_dir / "registry")
            register_inverted(places, how.of, version, coming, lists=how.lists, nprobe=how.nprobe)
        if step.release.fresh_index is not None:
            _fresh_index(step, world_dir, (coming, registry, world_dir / "registry"), faults)
        if step.release.retrain is None:
            continue
        suffix, trained = str(step.release.retrain), step.release.trained
        if step.release.pipeline is not None:
            train_for_release(
                world_dir, suffix=suffix, artifacts=trained, into=coming, config=step.release.pipeline.config,
                bypass=step.release.pipeline.bypass, armed=_armed(step) if faults else {}, progress=told,
            )  # fmt: skip
            continue
        train_release(
            world_dir, seed=RELEASE_SEED, suffix=suffix, registry_dir=coming,
            stages=_stages(step, world_dir) if faults else Stages(), artifacts=trained, progress=told,
        )  # fmt: skip


def _stages(step: Step, world_dir: Path) -> Stages:
    """The training run of a release, wrapped by the step's fault where it sits in the offline plane."""
    if step.fault is None or fault_named(step.fault.name).seam != TRAINING_LOG:
        return Stages()
    catalogue = Catalogue.load(world_dir / "public" / "catalogue.npz")
    return stages_for(step.spec(RELEASE_SEED), catalogue)


def _armed(step: Step) -> dict[str, Armed]:
    """The same of a training by the pipeline: what is wrapped around which of its stages."""
    if step.fault is None or fault_named(step.fault.name).seam != PIPELINE:
        return {}
    return armed_stages(step.spec(RELEASE_SEED))


def _fresh_index(step: Step, world_dir: Path, places: tuple[Path, ...], faults: bool) -> None:
    """Builds the index that the release names, of all items that are published, or of what the step's fault leaves."""
    from sandbox.pipeline.index import IndexRows, rebuild

    release = step.release
    assert release is not None
    assert release.fresh_index is not None
    assert release.index_version is not None
    catalogue, manifest = Catalogue.load(world_dir / "public" / "catalogue.npz"), read_manifest(world_dir)

    def filled(rows: IndexRows) -> IndexRows:
        found: IndexRows = made(
            step.spec(RELEASE_SEED) if faults and step.fault is not None else None, INDEX_ROWS, str(release.index_version),
            "build", rows, published_ts=np.nan_to_num(catalogue.item_published_ts), now=manifest.history_end_ts,
        )  # fmt: skip
        return found

    rebuild(places, release.fresh_index, release.index_version, places[0], filled)
