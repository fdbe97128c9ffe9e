"""The stage of a live stack: faults put on seams, releases rolled out, alerts read, actions followed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults.catalogue import fault_named
from faults.stages import TRAINING_LOG, stages_for
from loadtest.runner import LOAD
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import WallClock
from sandbox.base.errors import SandboxError
from sandbox.drill import rollout
from sandbox.drill.engine import Alert
from sandbox.drill.grading import Action
from sandbox.drill.queries import sql_time
from sandbox.drill.scenario import Scenario, Step
from sandbox.pipeline.ivf import register_inverted
from sandbox.pipeline.training_set import Stages
from sandbox.runtime import control
from sandbox.runtime.operations import Operations
from sandbox.runtime.stack import Stack
from sandbox.telemetry.sql import SqlWorker

RELEASE_SEED = 1  # of the trainings behind releases: one cache for all drills of a world


class LiveStage:
    """Carries out what the engine decides. began_ts: trainee's actions before it do not count."""

    def __init__(self, stack: Stack, began_ts: float) -> None:
        self._stack, self._run, self._began_ts = stack, stack.run, began_ts
        self._operations = Operations(self._run)
        self._sql = SqlWorker(self._run.lake)
        self._alerts: list[Alert] = []
        self._looked_ts = 0.0

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None:
        if service == LOAD:
            control.ask(self._run.control_socket(LOAD), "arm", id=name, **spec)
        else:
            self._stack.arm(service, {"id": name, **spec})

    def disarm(self, name: str, service: str) -> None:
        if service == LOAD:
            control.ask(self._run.control_socket(LOAD), "disarm", id=name)
        else:
            self._stack.disarm(service, name)

    def release(self, step: Step, seed: int, faulty: bool) -> str:
        return rollout.release(
            step, seed, faulty, self._operations, self._run.clock(), WallClock()
        )  # fmt: skip

    def note(self, step: Step) -> str:
        return rollout.note(step, self._operations)

    def actions(self) -> list[Action]:
        return rollout.actions_of(self._operations, self._began_ts)

    def alerts(self, since_ts: float) -> list[Alert]:
        """A second of wall time old at most: alerts are judged no oftener."""
        now_ts = self._run.clock().now()
        if now_ts - self._looked_ts >= self._run.speed:
            self._looked_ts = now_ts
            query = f"SELECT epoch(ts), rule, state FROM alerts WHERE ts >= {sql_time(since_ts)} ORDER BY ts"
            with suppress(
                SandboxError
            ):  # a busy lake: what was known before stands, the next look tells
                rows = self._sql.query(query).rows
                self._alerts = [Alert(float(ts), str(rule), str(state)) for ts, rule, state in rows]
        return self._alerts

    def close(self) -> None:
        self._sql.close()


def stage_models(
    scenario: Scenario,
    world_dir: Path,
    registry: Path,
    *,
    faults: bool,
    progress: Callable[..., None],
) -> None:
    """Trains, or takes from the cache, the versions that the scenario's releases bring.

    registry: RUN/registry, where services look first. What a release brings waits in `COMING` below it and is
    among the versions there are from the release on. faults: False trains them on the whole log. Raises
    MODEL-*, WORLD-*.
    """
    from sandbox.pipeline.build import train_release  # torch: only when a scenario needs it

    coming = registry / rollout.COMING
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
        wanted = {name for fields in step.release.patches.values() for name in fields}
        artifacts = tuple(a for a in ("two_tower", "ranker") if a in wanted)
        train_release(
            world_dir, seed=RELEASE_SEED, suffix=str(step.release.retrain), registry_dir=coming,
            stages=_stages(step, world_dir) if faults else Stages(), artifacts=artifacts,
            progress=lambda what, share: progress(f"models: {what}", share),
        )  # fmt: skip


def _stages(step: Step, world_dir: Path) -> Stages:
    """The training run of a release, wrapped by the step's fault where it sits in the offline plane."""
    if step.fault is None or fault_named(step.fault.name).seam != TRAINING_LOG:
        return Stages()
    catalogue = Catalogue.load(world_dir / "public" / "catalogue.npz")
    return stages_for(step.spec(RELEASE_SEED), catalogue)
