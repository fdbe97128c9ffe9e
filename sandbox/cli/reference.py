"""Prints docs/cli.md from the command tree itself. `--check FILE` only says whether FILE is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.base.printed import print_or_check
from sandbox.cli.app import root

_INTRO = (Path(__file__).parent / "reference_intro.md").read_text()


def command_paths() -> Iterator[tuple[str, Any]]:
    """Every command by its path below `sandbox`, e.g. "drill start"."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        names = getattr(command, "list_commands", None)
        if names is None:
            yield " ".join(path), command
            return
        for name in sorted(names(None)):
            below = command.get_command(None, name)
            if below is not None and not below.hidden:
                yield from walk(below, (*path, name))

    yield from walk(root(), ())


def page() -> str:
    """The whole page, Markdown."""
    sections = [_section(path, command) for path, command in command_paths()]
    return "\n".join([_INTRO, "## Commands", *sections])


def _section(path: str, command: Any) -> str:
    lines = [f"\n### `sandbox {path}`\n", (command.help or "").strip(), ""]
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        if parameter.param_type_name == "option":
            name = ", ".join((*parameter.opts, *parameter.secondary_opts))
            said = getattr(parameter, "help", "") or ""
        else:
            name = (parameter.name or "").upper()
            said = getattr(parameter, "help", "") or ""
        default = parameter.default
        shown = "" if default in (None, False, ()) or callable(default) else f" (default {default})"
        required = " (required)" if parameter.required else ""
        lines.append(f"- `{name}`: {said}{shown}{required}")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    raise SystemExit(print_or_check(page(), sys.argv[1:]))
