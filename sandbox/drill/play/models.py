"""The models that a drill's releases will bring, made ready before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from faults.catalogue import fault_named
from faults.stages import PIPELINE, TRAINING_LOG, armed_stages, stages_for
from sandbox.base.catalogue import Catalogue
from sandbox.base.progress import ProgressFn
from sandbox.drill.play import rollout
from sandbox.drill.scenario.scenario import Scenario, Step
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
        if step.release.retrain is None:
            continue
        settings = {name for fields in step.release.patches.values() for name in fields}
        artifacts = tuple(a for a in ("two_tower", "ranker") if a in settings)
        suffix = str(step.release.retrain)
        if step.release.pipeline is not None:
            train_for_release(
                world_dir, suffix=suffix, artifacts=artifacts, into=coming, config=step.release.pipeline.config,
                bypass=step.release.pipeline.bypass, armed=_armed(step) if faults else {}, progress=told,
            )  # fmt: skip
            continue
        train_release(
            world_dir, seed=RELEASE_SEED, suffix=suffix, registry_dir=coming,
            stages=_stages(step, world_dir) if faults else Stages(), artifacts=artifacts, progress=told,
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
