"""Generated references: printed to stdout, or with `--check FILE` compared with what is committed."""

from __future__ import annotations

import sys
from pathlib import Path


def print_or_check(page: str, arguments: list[str]) -> int:
    """The exit code: 1 when FILE is not what would be printed."""
    if arguments[:1] != ["--check"]:
        sys.stdout.write(page)
        return 0
    path = Path(arguments[1])
    if path.exists() and path.read_text() == page:
        return 0
    sys.stderr.write(f"{path} is out of date: make docs\n")
    return 1
