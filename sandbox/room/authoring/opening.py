"""Opening a room while a server runs: what the command asks before it does so, asked here too."""

from __future__ import annotations

from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest
from sandbox.drill.scenario import library
from sandbox.room import house
from sandbox.room.room import Room
from sandbox.runtime.stack import Stack


def opened(name: str, backend: str, *, world: str | None, seed: int | None, held: bool, twin: bool) -> Room:
    """A new room of the scenario of that name. Raises DRILL-001, DRILL-002, RUN-009 for a live one where a stack is up,
    WORLD-001 for a world that would have to be built first, and as `house.open_room`."""
    scenario = library.named(name)
    if backend == "live":
        _require_alone()
    load_manifest(world or scenario.world)
    return house.open_room(scenario, backend, world=world, seed=seed, twin=twin, held=held)


def _require_alone() -> None:
    up = [str(stack.run_dir.name) for stack in Stack.running()]
    if up:
        raise SandboxError(
            "RUN-009", where="a live room", seen=f"a stack that is up: {', '.join(up)[:80]}",
            expected="a machine without one, for two of them slow each other",
            fix="end its room first, or open a virtual one: of those there may be several",
        )  # fmt: skip
