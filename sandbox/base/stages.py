"""Which version of an artefact is live: REGISTRY/stages.json, moved by compare-and-swap.

One document holds the stages and the record of how they came to be, and it is replaced in one rename: a reader finds
exactly one live version at any moment, and no move without its record. The document of a registry that nobody
has moved anything in need not exist: then the first generation is live.

candidate: registered, serves nobody. shadow: scores beside the live version, its answers unused. canary: serves a small
share of users. live: serves. retired: served once. Of shadow, canary and live there is at most one; of live exactly one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError

from sandbox.base import artefacts
from sandbox.base.config import Config, ModelConfig, RetrievalConfig
from sandbox.base.errors import SandboxError
from sandbox.base.locks import alone
from sandbox.base.run import write_atomically

Stage = Literal["candidate", "shadow", "canary", "live", "retired"]
Verdict = Literal["pass", "fail", "hold"]
STAGES: tuple[Stage, ...] = get_args(Stage)
NONE = "none"  # the word for "nobody is in that stage"
_FILE, _LOCK = "stages.json", ".stages.lock"
_ALONE: tuple[Stage, ...] = ("shadow", "canary", "live")  # at most one version each
_FIRST = {
    "ranker": ModelConfig().ranker, "two_tower": ModelConfig().two_tower, "index": RetrievalConfig().index_version,
    "covisit": artefacts.COVISIT_VERSION, "popular": artefacts.POPULAR_VERSION, "features": artefacts.FEATURES_VERSION,
}  # fmt: skip


class Move(BaseModel, extra="forbid"):
    """One change record. n: from 1. at: wall seconds since the epoch; world_ts: world seconds, None where no world's
    clock ran. what: a move between stages, or the verdict of a gate. replaced: who left the stage for it. bypass: why
    a verdict that was no pass was passed over, empty for none was."""

    n: int
    at: float
    world_ts: float | None
    actor: str
    what: Literal["move", "gate"]
    artifact: str
    version: str
    from_stage: Stage
    to_stage: Stage
    replaced: str | None = None
    verdict: Verdict | None = None
    why: str = ""
    evidence: dict[str, Any] = {}
    bypass: str = ""


class Stages(BaseModel, extra="forbid"):
    """stages: artifact -> version -> stage, of those that were ever moved. gates: artifact -> version -> the gate's
    latest verdict. moves: oldest first."""

    stages: dict[str, dict[str, Stage]] = Field(default_factory=dict)
    gates: dict[str, dict[str, Verdict]] = Field(default_factory=dict)
    moves: list[Move] = Field(default_factory=list)

    def live(self, artifact: str) -> str:
        """The one version that serves."""
        return self.holder(artifact, "live") or _FIRST[artifact]

    def holder(self, artifact: str, stage: Stage) -> str | None:
        """Who is in a stage that has room for one."""
        of = self.stages.get(artifact, {})
        found = next((version for version, at in of.items() if at == stage), None)
        return found or (_FIRST[artifact] if stage == "live" else None)

    def stage_of(self, artifact: str, version: str) -> Stage:
        """Of any version, moved or not."""
        if version == self.live(artifact):
            return "live"
        return self.stages.get(artifact, {}).get(version, "candidate")

    def before(self, artifact: str) -> str | None:
        """The version that the live one replaced, to which a rollback goes. None where nobody was replaced."""
        now = self.live(artifact)
        for move in reversed(self.moves):
            if (move.what, move.artifact, move.version, move.to_stage) == ("move", artifact, now, "live"):
                return move.replaced
        return None

    def objection(self, artifact: str, version: str, stage: Stage) -> str | None:
        """What a verdict has against the version in that stage, in words; None for nothing. A canary may follow on a
        canary that could not tell; what was not passed by its latest one does not go live."""
        gate = self.gates.get(artifact, {}).get(version, "pass")
        if stage in ("canary", "live") and gate != "pass":
            return f"its gate says {gate}"
        left = [m for m in self.moves if (m.artifact, m.version, m.from_stage) == (artifact, version, "canary")]
        said = left[-1].evidence.get("verdict", "pass") if left else "pass"
        return f"its canary says {said}" if stage == "live" and said != "pass" else None


def moved(
    now: Stages, artifact: str, version: str, stage: Stage, *, expect: str | None, actor: str, at: float,
    world_ts: float | None = None, why: str = "", evidence: Mapping[str, Any] | None = None, bypass: str = "",
) -> Stages:  # fmt: skip
    """The stages after a move, with its record. expect: who should be in that stage now, where it has room for one;
    NONE for nobody, None not to compare. Raises MODEL-006 when it is another, MODEL-007 for a move that there is not."""
    holder = now.holder(artifact, stage) if stage in _ALONE else None
    if stage in _ALONE and expect is not None and expect != (holder or NONE):
        raise _conflict(artifact, stage, holder, expect)
    was = now.stage_of(artifact, version)
    if was == stage:
        raise _no_move(f"{version}: {was} to {stage}", "a stage that it is not in", "there is nothing to do")
    if was == "live":
        raise _no_move(f"{version}: live to {stage}", "one live version at any moment",
                       f"make another live: sandbox model promote VERSION --stage live --expect {version}")  # fmt: skip
    evidence = dict(evidence or {})
    objection = now.objection(artifact, version, stage)
    if stage == "live" and evidence.get("verdict", "pass") != "pass":
        objection = f"the evidence says {evidence['verdict']}"
    if objection is not None and not bypass:
        raise _no_move(f"{version}: {objection}", "pass: neither fail nor hold (not enough evidence) promotes",
                       "get more evidence, or take the responsibility: --bypass REASON, which is recorded")  # fmt: skip
    of = dict(now.stages.get(artifact, {}))
    if holder is not None:
        of[holder] = "retired" if stage == "live" else "candidate"
    of[version] = stage
    record = Move(
        n=len(now.moves) + 1, at=at, world_ts=world_ts, actor=actor, what="move", artifact=artifact, version=version,
        from_stage=was, to_stage=stage, replaced=holder, why=why, evidence=evidence, bypass=bypass,
    )  # fmt: skip
    return now.model_copy(update={"stages": {**now.stages, artifact: of}, "moves": [*now.moves, record]})


def judged(
    now: Stages, artifact: str, version: str, verdict: Verdict, *, actor: str, at: float,
    world_ts: float | None = None, why: str = "", evidence: Mapping[str, Any] | None = None,
) -> Stages:  # fmt: skip
    """The stages after a gate has spoken; the version stays where it is."""
    stage = now.stage_of(artifact, version)
    record = Move(
        n=len(now.moves) + 1, at=at, world_ts=world_ts, actor=actor, what="gate", artifact=artifact, version=version,
        from_stage=stage, to_stage=stage, verdict=verdict, why=why, evidence=dict(evidence or {}),
    )  # fmt: skip
    gates = {**now.gates, artifact: {**now.gates.get(artifact, {}), version: verdict}}
    return now.model_copy(update={"gates": gates, "moves": [*now.moves, record]})


def read(registry: Path) -> Stages:
    """Stages of all artefacts in that registry. Raises CFG-003 when the document is malformed."""
    path = registry / _FILE
    try:
        return Stages.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Stages()
    except (ValidationError, ValueError) as error:
        raise SandboxError(
            "CFG-003",
            where=str(path),
            seen=str(error)[:300],
            expected="the document that `sandbox model promote` writes",
            fix="put back a copy of it; or delete it: then the first generation is live, and the history is gone",
        ) from error


def first_config(registry: Path) -> Config:
    """The documents that a new stack begins with: the defaults, with what is live in that registry. Drills do not begin
    with it: a drill is the same on every machine. Raises CFG-003."""
    now = read(registry)
    return Config(
        model=ModelConfig(ranker=now.live("ranker"), two_tower=now.live("two_tower")),
        retrieval=RetrievalConfig(index_version=now.live("index")),
    )


def move(registry: Path, artifact: str, version: str, stage: Stage, **how: Any) -> Move:
    """`moved`, on disk: a compare-and-swap against all others who move. how: see `moved`. Returns the record.

    Raises MODEL-001 and MODEL-002 for a version that is not there whole, MODEL-006, MODEL-007, CFG-003. Then nothing
    has changed.
    """
    artefacts.load(registry, artifact, version)
    return _swap(registry, lambda now: moved(now, artifact, version, stage, **how))


def gate(registry: Path, artifact: str, version: str, verdict: Verdict, **how: Any) -> Move:
    """`judged`, on disk. Returns the record. Raises MODEL-001, CFG-003."""
    artefacts.describe(registry, artifact, version)
    return _swap(registry, lambda now: judged(now, artifact, version, verdict, **how))


def _swap(registry: Path, change: Callable[[Stages], Stages]) -> Move:
    with alone(registry / _LOCK):
        after = change(read(registry))
        text = json.dumps(after.model_dump(mode="json"), indent=1)
        write_atomically(registry / _FILE, text, to_disk=True)
    return after.moves[-1]


def _conflict(artifact: str, stage: Stage, holder: str | None, expect: str) -> SandboxError:
    return SandboxError(
        "MODEL-006",
        where=f"{artifact}, stage {stage}",
        seen=holder or NONE,
        expected=expect,
        fix="somebody moved it meanwhile: look (sandbox model list), then say what you see with --expect",
    )


def _no_move(seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("MODEL-007", where="stages", seen=seen, expected=expected, fix=fix)
