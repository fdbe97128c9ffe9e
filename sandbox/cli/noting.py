"""Looks that are taken by single commands, noted as the drill's shell notes its own: for the report and the debrief."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo


def note_look(run: RunInfo, text: str, is_query: bool = False) -> None:
    """Where a drill runs on that stack; nothing where none does, or its notebook is not ours to write in."""
    if not (Path(run.run_dir) / "drill.json").exists():
        return
    from sandbox.drill.play import drills, standing
    from sandbox.drill.play.notebook import Notebook

    with suppress(SandboxError, OSError, ValueError):
        drill = drills.of_run(Path(run.run_dir))
        if drill.began() is not None and not standing.is_over(drill):
            Notebook(drill.directory).note_look(text, drill.now(), is_query)
