"""Options that commands share."""

from __future__ import annotations

import os
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


def require_writable(file: Path, option: str, suffix: str = "") -> None:
    """Before work begins whose outcome is to be written there, over what is there. suffix: empty for any. Raises
    CFG-004 for another one, CFG-002 for a place where no file can be written."""
    if suffix and file.suffix != suffix:
        raise SandboxError(
            "CFG-004",
            where=option,
            seen=str(file),
            expected=f"a file that ends in {suffix}",
            fix=f"call it {file.stem or 'it'}{suffix}",
        )
    there = file if file.exists() else file.parent
    fits = file.is_file() if file.exists() else there.is_dir()
    if not fits or not os.access(there, os.W_OK):
        raise SandboxError(
            "CFG-002",
            where=option,
            seen=str(file),
            expected="a file in a directory that there is, and that can be written",
            fix="check the path, or choose a directory of yours",
        )
