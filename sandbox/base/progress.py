"""How work that takes long says how far it is."""

from __future__ import annotations

from collections.abc import Callable

ProgressFn = Callable[[str, float | None], None]  # what is being done; share done, 0..1, None where unknown


def quiet(what: str, share: float | None = None) -> None:
    """Progress that nobody looks at."""
