"""A program of somebody else on the same machine, which keeps one core busy, or a part of one: run by its path.

argv: part of a core, 0..1; process id of whoever it stands beside. It ends with that process, however that ended.
"""

from __future__ import annotations

import os
import sys
import time

ROUND_S = 0.02  # wall seconds of work and rest together


def work(part: float, beside: int) -> None:
    while os.getppid() == beside:
        began = time.perf_counter()
        while time.perf_counter() - began < ROUND_S * part:
            pass
        if part < 1:
            time.sleep(ROUND_S * (1 - part))


if __name__ == "__main__":
    work(float(sys.argv[1]), int(sys.argv[2]))
