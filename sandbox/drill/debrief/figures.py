"""Figures of harm as they are read: numbers, intervals, rows of a table. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sandbox.drill.scenario.harms import METRICS, UNITS

SIZES = ("harm", "unmitigated", "avoided", "regret")


def number(value: float | None) -> str:
    """1,234 or 0.0123; – for none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def harms(twin: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows {metric, unit, sizes}, sizes in the order of SIZES with their intervals. twin: what a grade keeps of it;
    one of before kept less."""
    return [
        {"metric": m, "unit": UNITS[m], "sizes": [_sized(twin[p][m]) if p in twin else "–" for p in SIZES]}
        for m in METRICS
    ]


def _sized(size: Mapping[str, float | None]) -> str:
    return f"{number(size['estimate'])} ({number(size['low'])} to {number(size['high'])})"
