"""Standard output of a process whose log may stand on a full disk."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from typing import TextIO


class _Lossy(io.TextIOWrapper):
    """Loses lines on a full disk instead of failing whoever writes them."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def lose_lines_on_a_full_disk() -> None:
    """From now on no print of this process fails for lack of space."""
    sys.stdout, sys.stderr = _lossy(sys.stdout), _lossy(sys.stderr)


def _lossy(stream: TextIO) -> io.TextIOWrapper:
    raw = io.FileIO(stream.fileno(), "w", closefd=False)
    return _Lossy(raw, "utf-8", "replace", line_buffering=True)
