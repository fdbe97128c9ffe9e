"""Models by their size: what a pass costs, in operations and memory, and how long it takes here. Pure but for `speed`.

One operation is a multiplication or an addition, so a weight that is used once is two. A model that uses each weight once for
a row or a token costs twice its weights; pictures use theirs at every place, so theirs are stated.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from sandbox.base.errors import SandboxError

LARGEST = 1e13  # weights
MEASURED = 130e6  # weights whose matrix is made here to be measured: half a GB
BYTES = 4  # of a weight


@dataclass(frozen=True)
class Known:
    """A well-known model. weights: how many. operations: of one pass over `unit`. source: of both."""

    name: str
    weights: float
    operations: float
    unit: str
    source: str


KNOWN = (
    Known("BERT base", 110e6, 2 * 85e6 * 128, "128 tokens", "Devlin et al. 2019: 110 M, 85 M of them in the encoder"),
    Known("GPT-3", 175e9, 2 * 175e9, "one token", "Brown et al. 2020, table 2.1"),
    Known("T5 11B", 11e9, 2 * 11e9, "one token in and out", "Raffel et al. 2020, 3.7"),
    Known(
        "ResNet-152", 60.2e6, 2 * 11.3e9, "one picture of 224 x 224", "He et al. 2016, table 1: 11.3e9 multiply-adds"
    ),
    Known("YOLOv4", 64e6, 60e9, "one picture of 416 x 416", "Bochkovskiy et al. 2020: about 60e9 operations"),
)


@dataclass(frozen=True)
class Speed:
    """What this machine does in one core. per_s: operations a second, of a batch large enough. streamed_per_s: bytes of
    weights that it reads a second where each is used once. said: how it was measured."""

    per_s: float
    streamed_per_s: float
    said: str

    def seconds(self, weights: float, operations: float) -> float:
        """Of one pass: what takes longer, the arithmetic or reading the weights."""
        return max(operations / self.per_s, weights * BYTES / self.streamed_per_s)


def speed(weights: float = 16e6, rows: int = 128, repeats: int = 3) -> Speed:
    """Measured with a square matrix of so many weights, in one thread: times `rows` rows, and times one."""
    import torch

    side = int(math.sqrt(min(weights, MEASURED)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        matrix, many, one = torch.rand(side, side), torch.rand(side, rows), torch.rand(side)
        batch_s = min(_took(lambda: matrix @ many) for _ in range(repeats))
        one_s = min(_took(lambda: matrix @ one) for _ in range(repeats))
    finally:
        torch.set_num_threads(threads)
    said = f"a matrix of {side * side / 1e6:.0f} M weights times {rows} rows and times one, torch, seconds of one core, best of {repeats}"
    return Speed(2 * side * side * rows / batch_s, side * side * BYTES / one_s, said)


def _took(what: Any) -> float:
    """Seconds of a core: on a machine with other work, what it takes from them does not count."""
    began = time.process_time()
    what()
    return max(time.process_time() - began, 1e-6)


def table(here: Speed | None = None) -> list[dict[str, Any]]:
    """A row a model: {model, weights, operations, unit, bytes, latency_ms, measured, source}. measured: a matrix of that size
    was made and timed, reading each weight once, and the operations beyond by this machine's speed; else all is an
    estimate from the speed of a smaller one."""
    general = here or speed()
    rows = []
    for model in KNOWN:
        fits = here is None and model.weights <= MEASURED
        own = speed(model.weights) if fits else general
        rows.append({
            "model": model.name, "weights": model.weights, "operations": model.operations, "unit": model.unit,
            "bytes": int(model.weights * BYTES), "latency_ms": own.seconds(model.weights, model.operations) * 1000,
            "measured": fits, "source": model.source,
        })  # fmt: skip
    return rows


def ranker(weights: float, rows: int, here: Speed) -> dict[str, Any]:
    """What a ranker of so many weights, each used once a row, adds to a request of `rows` candidates: {cpu_ms, bytes, said}.
    Raises CFG-004 for an absurd size."""
    if not 1 <= weights <= LARGEST or not 1 <= rows <= 10_000:
        raise SandboxError(
            "CFG-004", where="capacity --model-params, --model-rows", seen=f"{weights:g} weights, {rows} rows",
            expected=f"1 to {LARGEST:g} weights, 1 to 10000 rows", fix="correct the number",
        )  # fmt: skip
    ms = here.seconds(weights, 2 * weights * rows) * 1000
    return {
        "cpu_ms": ms,
        "bytes": int(weights * BYTES),
        "said": f"a ranker of {weights:,.0f} weights, each used once for each of {rows} candidates: {2 * weights * rows:.3g} operations and "
        f"{weights * BYTES / 1e6:,.1f} MB a replica, {ms:,.1f} ms of a core a request at {here.per_s / 1e9:.1f}e9 operations a second "
        f"({here.said}); the measured ranker's own work is in the cost as well",
    }  # fmt: skip
