"""What requests cost, read from a load report, or as it was measured for those who have none.

`python -m loadtest.lab.costs REPORT WORDS > loadtest/lab/cost.json` makes what ships anew; WORDS: where it was measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.lab.capacity import Cost
from loadtest.lab.saved import read
from sandbox.base.errors import SandboxError

SHIPPED = Path(__file__).with_name("cost.json")
LEAST = 50  # answered requests that tell what one costs


def cost(path: Path | None) -> Cost:
    """Of a report's directory; None: what ships. Raises CFG-002, CFG-003 as `read`, and for a report that does not tell:
    without telemetry, or with hardly a request."""
    if path is None:
        return _of(json.loads(SHIPPED.read_text()))
    saved = read(path)
    found = digest(saved.whole, f"{saved.place}, {saved.whole['when']}")
    if found is None:
        raise SandboxError(
            "CFG-003", where=str(saved.place), seen=f"{saved.document['ok']} answered requests, {len(saved.whole['cpu'])} looks at processes",
            expected=f"at least {LEAST} requests, with telemetry", fix="measure again: sandbox load run --seconds 60",
        )  # fmt: skip
    return _of(found)


def digest(whole: Mapping[str, Any], said: str) -> dict[str, Any] | None:
    """Of a report what a cost is made from, as JSON; None where it does not tell."""
    d, rows = whole["document"], whole["series"]
    size = rows[1]["at_s"] - rows[0]["at_s"] if len(rows) > 1 else 1.0
    if d["ok"] < LEAST or not whole["cpu"] or size != 1.0 or not whole.get("users"):
        return None
    seconds = len(rows)
    cores: dict[str, list[float | None]] = {}
    for at, name, used in whole["cpu"]:
        if 0 <= at < seconds:
            cores.setdefault(name, [None] * seconds)[at] = used
    rss: dict[str, float] = {}
    for instance, mb in d["cost"]["rss_mb"].items():
        name = instance.rsplit("-", 1)[0]
        rss[name] = max(rss.get(name, 0.0), mb)
    return {
        "said": said,
        "requests": [r["ok_per_s"] + r["failed_per_s"] for r in rows],
        "cores": {name: _filled(values) for name, values in cores.items()},
        "rss_mb": rss,
        "redis_bytes": d["cost"]["redis_bytes"] or 0,
        "users": whole["users"],
    }


def _filled(values: list[float | None]) -> list[float]:
    """A second that was not sampled had the mean of those that were: samples drift over the edges of seconds."""
    known = [v for v in values if v is not None]
    mean = sum(known) / len(known)
    return [mean if v is None else v for v in values]


def _rounded(value: Any) -> Any:
    """Four significant digits are what a measurement of seconds bears."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _of(found: Mapping[str, Any]) -> Cost:
    cores = {name: np.array(values, np.float64) for name, values in found["cores"].items()}
    return Cost(
        np.array(found["requests"], np.float64),
        cores,
        found["rss_mb"],
        found["redis_bytes"],
        found["users"],
        found["said"],
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_rounded(digest(read(Path(sys.argv[1])).whole, sys.argv[2]))) + "\n")
