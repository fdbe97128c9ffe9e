"""`sandbox completion`: the script by which a shell completes the commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from click.shell_completion import get_completion_class

from sandbox.cli.output import out


class Shell(StrEnum):
    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish")]) -> None:
    """Print a completion script: eval "$(sandbox completion bash)"."""
    from sandbox.cli.app import root

    cls = get_completion_class(shell.value)
    assert cls is not None, "click knows these shells"
    out.print(
        cls(root(), {}, "sandbox", "_SANDBOX_COMPLETE").source(), markup=False, soft_wrap=True
    )
