"""Stages of versions on a running stack. There they are not a document of their own: live, shadow and canary are
settings of the stack (sandbox.base.config), so a move is an operation like any other, and nothing has to be kept equal.

The rules are those of the registry (sandbox.base.stages), applied to what the stack's documents say under their lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.base import artefacts, stages
from sandbox.base.config import Canary, Config, Shadow
from sandbox.base.errors import SandboxError
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo
from sandbox.base.stages import Move, Stage, Stages
from sandbox.runtime import publish
from sandbox.runtime.operate.operations import Operations, Record

SETTING = {  # artefact -> service and field of the live version
    "ranker": ("model", "ranker"),
    "two_tower": ("model", "two_tower"),
    "index": ("retrieval", "index_version"),
}


@dataclass(frozen=True)
class Wish:
    """One move that somebody wants. expect: who should be in that stage now, None not to compare. actor: who it is.
    why, evidence: of the record. bypass: why a verdict that is no pass is passed over. canary, shadow: the settings
    of those stages, where the move is to one."""

    artifact: str
    version: str
    stage: Stage
    expect: str | None
    actor: str
    why: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    bypass: str = ""
    canary: Canary | None = None
    shadow: Shadow | None = None


def stages_of(operations: Operations, config: Config | None = None) -> Stages:
    """The stages on that stack now, and how they came to be. config: the documents in force, read where None."""
    config = config or Config.load(operations.run.path)
    moves = [move for record in operations.records() for move in _moves(record, operations.run)]
    held: dict[str, dict[str, Stage]] = {}
    for artifact, (service, name) in SETTING.items():
        of: dict[str, Stage] = {
            m.replaced: "retired" for m in moves if (m.artifact, m.to_stage) == (artifact, "live") and m.replaced
        }
        if artifact == "ranker":
            rolled: tuple[tuple[Shadow | Canary | None, Stage], ...] = (
                (config.model.shadow, "shadow"), (config.model.canary, "canary"),
            )  # fmt: skip
            of |= {document.version: stage for document, stage in rolled if document is not None}
        held[artifact] = {**of, getattr(getattr(config, service), name): "live"}
    gates: dict[str, Any] = {}
    for registry in reversed(operations.run.registries):  # the run's own says it last
        for artifact, verdicts in stages.read(registry).gates.items():
            gates[artifact] = {**gates.get(artifact, {}), **verdicts}
    return Stages(stages=held, gates=gates, moves=moves)


def move(operations: Operations, wish: Wish) -> Move:
    """Carries a move out on the stack. Returns its record. Raises MODEL-001 and MODEL-002 for a version that is not
    there whole, MODEL-006, MODEL-007, and what `Operations.apply` raises; then nothing has changed."""
    if wish.artifact not in SETTING:
        raise _refused(wish.artifact, f"one of {', '.join(SETTING)}", "a stack serves these")
    if wish.stage in ("shadow", "canary") and wish.artifact != "ranker":
        raise _refused(f"{wish.artifact} as {wish.stage}", "a ranker", "promote user tower and index to live, both")
    artefact = artefacts.find(operations.run.registries, wish.artifact, wish.version)
    before = stages_of(operations)
    known = wish.version.endswith(publish.FIRST) or wish.version in {m.version for m in before.moves}
    patches: dict[str, dict[str, Any]] = {}
    arguments = {"artifact": wish.artifact, "version": wish.version, "stage": str(wish.stage)}

    def check(config: Config) -> None:
        """Fills in what is to be done, from what is in force under the lock."""
        after = stages.moved(
            stages_of(operations, config), wish.artifact, wish.version, wish.stage, expect=wish.expect,
            actor=wish.actor, at=0.0, why=wish.why, evidence=wish.evidence, bypass=wish.bypass,
        )  # fmt: skip
        made = after.moves[-1]
        told = {"from": made.from_stage, "replaced": made.replaced, "bypass": made.bypass}
        arguments.update({name: value for name, value in told.items() if value})
        if made.evidence:
            arguments["evidence"] = json.dumps(made.evidence)
        patches.update(_patches(config, wish))

    record = operations.apply(
        patches, actor=wish.actor, op="promote" if wish.stage == "live" else "stage", arguments=arguments,
        target=SETTING[wish.artifact][0], key=wish.artifact if wish.stage == "live" else wish.stage,
        new=wish.version if wish.stage in ("shadow", "canary", "live") else "-", note=wish.why, check=check,
    )  # fmt: skip
    operations.platform.rows("stage_changes", [row_of.stage_changes(
        ts=record.ts, artifact=wish.artifact, version=wish.version, from_stage=arguments["from"],
        to_stage=wish.stage, replaced=arguments.get("replaced"), actor=wish.actor, why=wish.why,
        evidence=json.dumps({**wish.evidence, "bypass": wish.bypass} if wish.bypass else dict(wish.evidence)),
    )])  # fmt: skip
    if not known:
        gate = before.gates.get(wish.artifact, {}).get(wish.version, "none")
        publish.version(operations.platform.rows, artefact, record.ts, wish.actor, gate)
    return _moves(record, operations.run)[-1]


def _patches(config: Config, wish: Wish) -> dict[str, dict[str, Any]]:
    """The settings that make it so: the stage's own, and those of the stage that the version leaves."""
    patches: dict[str, dict[str, Any]] = {}
    if wish.artifact == "ranker":
        for name, document in (("shadow", config.model.shadow), ("canary", config.model.canary)):
            if document is not None and document.version == wish.version:
                patches.setdefault("model", {})[name] = None
    if wish.stage == "live":
        service, name = SETTING[wish.artifact]
        patches.setdefault(service, {})[name] = wish.version
    if wish.stage == "shadow":
        patches.setdefault("model", {})["shadow"] = (wish.shadow or Shadow(version=wish.version)).model_dump()
    if wish.stage == "canary":
        if wish.canary is None:
            raise _refused(
                "a canary that nobody watches", "a share, a time and a guard", "sandbox model canary VERSION"
            )
        patches.setdefault("model", {})["canary"] = wish.canary.model_dump()
    return patches


def _moves(record: Record, run: RunInfo) -> list[Move]:
    """What an operation was for the stages: an `act promote`, a release or a revert moves versions as well."""
    a = record.arguments
    wall = run.wall_start + (record.ts - run.world_start) / run.speed
    told: dict[str, Any] = {
        "n": record.n, "at": wall, "world_ts": record.ts, "actor": record.actor, "what": "move", "why": record.note,
        "from_stage": a.get("from", "candidate"), "evidence": json.loads(a.get("evidence", "{}")),
        "bypass": a.get("bypass", ""),
    }  # fmt: skip
    if record.op == "stage":
        return [Move(artifact=a["artifact"], version=a["version"], to_stage=a["stage"],
                     replaced=a.get("replaced"), **told)]  # fmt: skip
    found = []
    for artifact, (service, name) in SETTING.items():
        old = record.before.get(service, {}).get(name)
        begins = f"set service={service} field={name} value="
        new = next((effect.removeprefix(begins) for effect in record.effects if effect.startswith(begins)), old)
        if new != old:
            found.append(Move(artifact=artifact, version=new, to_stage="live", replaced=old, **told))
    return found


def _refused(seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("MODEL-007", where="stages of a stack", seen=seen, expected=expected, fix=fix)
