"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sandbox.base import paths
from sandbox.base.errors import SandboxError

RunDir = Annotated[Path | None, typer.Option(help="Run directory; default the latest.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _packs(folders: list[Path] | None) -> list[Path] | None:
    for folder in folders or []:
        if not folder.is_dir():
            raise SandboxError(
                "CFG-002", where="--pack", seen=str(folder), expected="a folder of scenario files", fix="check the path"
            )
        paths.add_pack(folder.resolve())
    return folders


Pack = Annotated[
    list[Path] | None,
    typer.Option(
        "--pack", callback=_packs, help="A folder of scenarios beside SANDBOX_HOME/scenarios; may be repeated."
    ),
]
