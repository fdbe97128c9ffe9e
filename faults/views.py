"""The feature views that a knob can name."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from sandbox.base.features import VIEWS

BATCH = sorted(name for name, view in VIEWS.items() if not view.stream)


def _any(name: str) -> str:
    if name not in VIEWS:
        raise ValueError(f"there are {sorted(VIEWS)}")
    return name


def _batch(name: str) -> str:
    if name not in BATCH:
        raise ValueError(f"a batch job writes {BATCH}")
    return name


ViewName = Annotated[str, AfterValidator(_any)]
BatchViewName = Annotated[str, AfterValidator(_batch)]  # of those that the batch job writes
