"""Harm per world minute in blocks, for the terminal. Pure."""

from __future__ import annotations

import numpy as np

from sandbox.drill.debrief.curves import BEST, NOTHING, WENT, Curves
from sandbox.drill.scenario.harms import UNITS

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def in_blocks(found: Curves, width: int = 64, height: int = 4) -> str:
    """The curves under each other, on one scale, with the minutes below. Harm below none is not drawn."""
    binned = found.binned(width)
    top = max(1e-9, *(float(line.max()) for line in binned.lines.values()))
    per = f"{binned.size} world minutes" if binned.size > 1 else "world minute"
    lines = [f"{found.metric} lost or made worse ({UNITS[found.metric]}) per {per}, at most {top:.4g}"]
    for name in (WENT, NOTHING, BEST):
        if name in binned.lines:
            lines.append(name)
            bars = ["  " + row for row in _bars(binned.lines[name] / top, height)]
            lines += [bar for bar in bars if bar.strip()] or ["  none"]
    first, last = int(binned.minutes[0]), found.last
    gap = max(1, len(binned.minutes) - len(str(first)) - len(str(last)))
    lines.append(f"  {first}{' ' * gap}{last} world minutes in")
    lines += [f"  {name} at {minute:.0f}" for minute, name in found.marks]
    return "\n".join(lines)


def _bars(shares: np.ndarray, height: int) -> list[str]:
    eighths = np.round(np.clip(shares, 0.0, 1.0) * height * 8).astype(int)
    return ["".join(_EIGHTHS[min(8, max(0, int(e) - 8 * row))] for e in eighths) for row in reversed(range(height))]
