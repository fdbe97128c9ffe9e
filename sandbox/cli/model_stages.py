"""`sandbox model promote`, `rollback`, `history`, `discard`: which version is live, and how it came to be."""

from __future__ import annotations

import getpass
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base import artefacts, stages
from sandbox.base.clock import iso
from sandbox.base.errors import SandboxError
from sandbox.base.stages import NONE, STAGES, Move, Stage, Stages
from sandbox.cli.model_places import Artifact, OnStack, Place, World, place_of
from sandbox.cli.options import Json
from sandbox.cli.output import emit, out

Version = Annotated[str, typer.Argument(help="Version, such as rk-2.")]
Why = Annotated[str, typer.Option(help="Words for the record.")]
By = Annotated[str, typer.Option(help="Who does it, for the record; default you.")]
Bypass = Annotated[str, typer.Option(help="Why a verdict that is no pass is passed over; recorded.")]


def promote(
    version: Version,
    stage: Annotated[str, typer.Option(help=f"One of {', '.join(STAGES)}.")],
    expect: Annotated[
        str | None, typer.Option(help=f"Version that is in that stage now, or {NONE}; needed for live.")
    ] = None,
    artifact: Artifact = None,
    world: World = "laptop",
    on_stack: OnStack = None,
    why: Why = "",
    evidence: Annotated[Path | None, typer.Option(help="A JSON document, kept with the record.")] = None,
    bypass: Bypass = "",
    by: By = "",
    json_: Json = False,
) -> None:
    """Move a version to a stage, if that stage holds what you expect. Exit 1 when somebody was quicker.

    A new stack of the world begins with what is live in its registry; a stack that runs is moved by --run-dir.
    """
    if stage not in STAGES:
        raise _bad("--stage", stage, f"one of {', '.join(STAGES)}", "see docs/rollout.md for what each is")
    place = place_of(world, on_stack, to_change=True)
    made = place.named(version, artifact).manifest.artifact
    if stage == "live" and expect is None:
        now = place.stages().live(made)
        raise _bad(
            "--expect", "nothing", "the version that is live now", f"look whether it is the right one: --expect {now}"
        )
    _move(place, made, version, stage, expect, why, _evidence(evidence), bypass, by, json_)


def rollback(
    artifact: Annotated[str, typer.Argument(help="ranker, two_tower or index.")] = "ranker",
    expect: Annotated[str | None, typer.Option(help="Version that is live now; default whatever is.")] = None,
    world: World = "laptop",
    on_stack: OnStack = None,
    why: Why = "rollback",
    by: By = "",
    json_: Json = False,
) -> None:
    """Make the version live again that the live one replaced."""
    if artifact not in artefacts.ARTIFACTS:
        raise _bad("ARTIFACT", artifact, f"one of {', '.join(artefacts.ARTIFACTS)}", "see sandbox model list")
    place = place_of(world, on_stack, to_change=True)
    now = place.stages()
    live, before = now.live(artifact), now.before(artifact)
    if before is None:
        raise SandboxError(
            "MODEL-007",
            where=f"{artifact}, live {live}",
            seen="no version that it replaced",
            expected="a promotion before",
            fix="name the version: sandbox model promote VERSION --stage live --expect " + live,
        )
    # A rollback does not wait for evidence; what speaks against the version is in its record.
    bypass = now.objection(artifact, before, "live") or ""
    _move(place, artifact, before, "live", expect or live, why, {}, bypass, by, json_)


def history(
    artifact: Annotated[str | None, typer.Option(help="Of this artefact alone.")] = None,
    world: World = "laptop",
    on_stack: OnStack = None,
    json_: Json = False,
) -> None:
    """Every move between stages and every verdict of a gate: who, when, from, to, why, evidence."""
    moves = [m for m in place_of(world, on_stack).stages().moves if artifact in (None, m.artifact)]

    def human() -> None:
        if not moves:
            out.print("nothing was moved yet: the first generation is live")
            return
        table = Table(box=None, show_header=False)
        for name, wraps in (("n", False), ("when", False), ("what", True)):
            table.add_column(name, no_wrap=not wraps, justify="right" if name == "n" else "left", vertical="top")
        for m in moves:
            said = f"its gate says {m.verdict}" if m.what == "gate" else f"{m.from_stage} to {m.to_stage}"
            replaced = f", in place of {m.replaced}" if m.replaced else ""
            told = [f"{m.version}: {said}{replaced}, by {m.actor}", m.why, f"bypass: {m.bypass}" if m.bypass else ""]
            table.add_row(str(m.n), _when(m), escape("\n".join(filter(None, told))))
        out.print(table)

    emit([m.model_dump(mode="json") for m in moves], human, json_)


def discard(version: Version, artifact: Artifact = None, world: World = "laptop", json_: Json = False) -> None:
    """Remove a version from a world's registry, whole or half-written, and what killed writers left there."""
    place = place_of(world, None)
    registry, now = place.registries[0], place.stages()
    kinds = [a for a in artefacts.ARTIFACTS if artifact in (None, a)]
    for where, said in [("the registry", now), *_on_stacks(world)]:
        for kind in kinds:
            stage = said.stage_of(kind, version)
            if stage in ("shadow", "canary", "live"):
                raise SandboxError(
                    "MODEL-007", where=f"{kind} {version}", seen=f"it is {stage} in {where}",
                    expected="a version that nobody serves",
                    fix="move another there first: sandbox model promote; what is damaged is built anew: sandbox model build",
                )  # fmt: skip
    gone = [kind for kind in kinds if artefacts.discard(registry, kind, version)]
    if not gone:
        place.named(version, artifact)  # raises, with what there is
    document = {"version": version, "artifacts": gone}
    emit(document, lambda: out.print(f"{', '.join(gone)} {version} is gone from {registry}", markup=False), json_)


def _on_stacks(world: str) -> list[tuple[str, Stages]]:
    """What the stacks that are up with that world serve: they would look in vain for a version when they restart."""
    from sandbox.runtime.operate.operations import Operations
    from sandbox.runtime.operate.staging import stages_of
    from sandbox.runtime.stack import Stack

    up = (stack.run for stack in Stack.running())
    return [(f"the stack {run.path}", stages_of(Operations(run))) for run in up if run.world == world]


def _move(
    place: Place, artifact: str, version: str, stage: Stage, expect: str | None, why: str, evidence: dict[str, Any],
    bypass: str, by: str, json_: bool,
) -> None:  # fmt: skip
    if place.operations is None:
        made = stages.move(
            place.registries[0], artifact, version, stage, expect=expect, actor=by or getpass.getuser(),
            at=time.time(), why=why, evidence=evidence, bypass=bypass,
        )  # fmt: skip
    else:
        from sandbox.drill.play.rollout import OPERATOR
        from sandbox.runtime.operate import staging

        wish = staging.Wish(artifact, version, stage, expect, by or OPERATOR, why, evidence, bypass)
        made = staging.move(place.operations, wish)
    emit(made.model_dump(mode="json"), lambda: out.print(_told(made, place.told), markup=False), json_)


def _told(m: Move, where: str) -> str:
    replaced = f", in place of {m.replaced}" if m.replaced else ""
    return f"{m.artifact} {m.version}: {m.from_stage} to {m.to_stage} in {where}{replaced}"


def _when(m: Move) -> str:
    return iso(m.at).replace("T", " ").removesuffix("Z")


def _evidence(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise _bad(
            "--evidence", f"{file}: {error}", "a file with a JSON object", "check the path, or leave it out"
        ) from error
    if not isinstance(document, dict):
        raise _bad(
            "--evidence",
            f"{file}: {type(document).__name__}",
            "a JSON object",
            "such as the answer of sandbox model canary --json",
        )
    return document


def _bad(where: str, seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("CFG-004", where=where, seen=seen, expected=expected, fix=fix)
