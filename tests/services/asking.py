"""SQL on the lake of a stack that is up: one worker is kept for all questions, as a console keeps it.

`sandbox.telemetry.sql.query` starts one for every question, half a second of processor time at every look of `wait_for`.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.telemetry.sql import Result, SqlWorker

_kept: dict[Path, SqlWorker] = {}


def query(lake_dir: Path, sql: str) -> Result:
    """The answer on the lake of now."""
    return _kept.setdefault(lake_dir, SqlWorker(lake_dir)).query(sql)


def asked_enough() -> None:
    """Ends the workers."""
    while _kept:
        _kept.popitem()[1].close()
