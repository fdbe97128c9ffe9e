"""What a drill's timeline does to a stack by way of operations, whichever backend carries them out."""

from __future__ import annotations

from faults.arming import wrapper
from faults.catalogue import fault_named
from sandbox.base import artefacts
from sandbox.base.clock import Clock
from sandbox.drill.play.deeds import ActionTaken
from sandbox.drill.scenario.scenario import Step
from sandbox.pipeline.rollout import Release
from sandbox.pipeline.stages.release import told
from sandbox.runtime import publish
from sandbox.runtime.operate.operations import Operations
from services.ranking.core import INPUTS
from services.skeleton.seams import Seam

COMING = ".coming"  # in RUN/registry: versions that a release of the day will bring
OPERATOR = "operator"  # the actor under which `sandbox act` records what a trainee does


def release(step: Step, seed: int, faulty: bool, operations: Operations, world: Clock, wall: Clock) -> str:
    """Rolls the step's release out, through its fault where that sits on the release. Returns old -> new."""
    assert step.release is not None
    patches = {service: dict(fields) for service, fields in step.release.patches.items()}
    if patches.get("ranking", {}).get("contract") == []:
        patches["ranking"]["contract"] = list(INPUTS)
    wanted = Release(step.target, step.release.key, step.release.new, step.release.actor, step.release.note, patches)
    seam = Seam("release")
    if faulty and step.fault is not None and fault_named(step.fault.name).seam == "release":
        seam.put(wrapper(step.spec(seed), world, wall))
    _publish(step, operations)
    record = operations.release(wanted, seam)
    return f"{step.release.key}: {record.old} -> {record.new}"


def _publish(step: Step, operations: Operations) -> None:
    """Brings the versions that were made for a release into the lake, as any training run does.

    All of it is dated now: no row that names them is older than the moment at which it can be read.
    """
    assert step.release is not None
    suffix = f"-{step.release.retrain}" if step.release.retrain else None
    built = step.release.index_version if step.release.inverted_file or step.release.fresh_index else None
    if suffix is None and built is None:
        return
    now, there = operations.platform.now(), operations.run.path / "registry"
    of_run = told(there / COMING, str(step.release.retrain), now) if step.release.retrain else {}
    for made in artefacts.versions(there / COMING):
        m = made.manifest
        if m.version != built and not (suffix and m.version.endswith(suffix)):
            continue
        place = there / m.artifact / m.version
        place.parent.mkdir(parents=True, exist_ok=True)
        made.path.rename(place)
        publish.version(operations.platform.rows, artefacts.describe(there, m.artifact, m.version), now, "pipeline")
    for table, rows in of_run.items():
        operations.platform.rows(table, rows)


def note(step: Step, operations: Operations) -> str:
    """Enters a change that is only that. Returns what it says."""
    assert step.change is not None
    change = step.change
    operations.note(
        actor=change.actor, op="change", arguments={"key": change.key, "new": change.new},
        target=step.target, key=change.key, old=change.old or "-", new=change.new, note=change.note,
    )  # fmt: skip
    return f"{change.key}: {change.old or '-'} -> {change.new}"


def actions_of(operations: Operations, since_ts: float) -> list[ActionTaken]:
    """What the trainee did on the stack since then, oldest first."""
    return [
        ActionTaken.of(r.ts, r.op, {**r.arguments, "target": r.target, "key": r.key}, r.effects)
        for r in operations.records()
        if r.actor == OPERATOR and r.ts >= since_ts
    ]
