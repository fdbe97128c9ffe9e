"""Whose versions a `sandbox model` command means: a world's registry, or a running stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.base import artefacts, stages, worlds
from sandbox.base.artefacts import Artefact
from sandbox.base.errors import SandboxError
from sandbox.base.run import latest_run
from sandbox.base.stages import Stages

if TYPE_CHECKING:
    from sandbox.runtime.operate.operations import Operations

World = Annotated[str, typer.Option("--world", "-w", help="World whose models are meant.")]
OnStack = Annotated[
    Path | None,
    typer.Option("--run-dir", help="A stack instead of the world's registry: its run directory, or the word latest."),
]


Artifact = Annotated[str | None, typer.Option(help="Its artefact, where versions of several have that name.")]


@dataclass(frozen=True)
class Place:
    """Where versions lie. registries: the first that has a version is asked for it. operations: of the stack, whose
    settings say which version is live; None for a world's registry, which says so itself."""

    registries: tuple[Path, ...]
    operations: Operations | None

    @property
    def told(self) -> str:
        return "this stack" if self.operations else "the registry"

    def stages(self) -> Stages:
        if self.operations is None:
            return stages.read(self.registries[0])
        from sandbox.runtime.operate.staging import stages_of

        return stages_of(self.operations)

    def versions(self) -> list[Artefact]:
        """Each once, by artefact and version."""
        found: dict[tuple[str, str], Artefact] = {}
        for registry in reversed(self.registries):
            found |= {(a.manifest.artifact, a.manifest.version): a for a in artefacts.versions(registry)}
        return [found[key] for key in sorted(found)]

    def damaged(self) -> list[SandboxError]:
        return [error for registry in self.registries for error in artefacts.damaged(registry)]

    def named(self, version: str, artifact: str | None = None) -> Artefact:
        """The version, its files checked. Raises MODEL-001 where there is none of that name, or several, and MODEL-002."""
        kinds = [a for a in artefacts.ARTIFACTS if artifact in (None, a) and self._has(a, version)]
        if len(kinds) == 1:
            return artefacts.find(self.registries, kinds[0], version)
        raise SandboxError(
            "MODEL-001",
            where="version",
            seen=f"{version}, of {' and '.join(kinds)}" if kinds else version,
            expected=f"one of {[a.manifest.version for a in self.versions()]}",
            fix="say which: --artifact"
            if kinds
            else "see what there is: sandbox model list; or build: sandbox model build",
        )

    def _has(self, artifact: str, version: str) -> bool:
        # Names are compared, not joined to a path: what people type may be no name of a version.
        there = (path.name for registry in self.registries for path in (registry / artifact).glob("[!.]*"))
        return version in there


def place_of(world: str, on_stack: Path | None, *, to_change: bool = False) -> Place:
    """to_change: the stack has to be up. Raises WORLD-001, RUN-001."""
    if on_stack is None:
        worlds.load_manifest(world)  # says which worlds there are when this one is not
        return Place((worlds.world_dir(world) / "registry",), None)
    from sandbox.runtime.operate.operations import Operations
    from sandbox.runtime.stack import Stack

    stack = Stack.attach(latest_run() if str(on_stack) == "latest" else on_stack)
    if to_change:
        stack.require_up()
    return Place(stack.run.registries, Operations(stack.run))
