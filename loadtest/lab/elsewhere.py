"""The run that a process of a load belongs to, on this machine or on another."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.base.run import RunInfo, latest_run
from sandbox.base.worlds import load_manifest, world_dir

GATEWAY = "SANDBOX_LOAD_GATEWAY"  # where a worker reaches it, if not as its master does
ELSEWHERE = "SANDBOX_LOAD_ELSEWHERE"  # set for a worker that has no run directory to read


def run_of(options: Any) -> RunInfo:
    """The run that this process loads: by its directory, or as its master tells it, with this machine's worlds. Raises
    WORLD-001 where these lack the run's."""
    if not os.environ.get(ELSEWHERE):
        return RunInfo.load(Path(options.run_dir) if options.run_dir else latest_run())
    told = RunInfo(**json.loads(options.orders)["run"])
    load_manifest(told.world)
    gateway = os.environ.get(GATEWAY) or told.addresses["gateway"]
    return replace(
        told, run_dir=tempfile.mkdtemp(prefix="sandbox-load-"), world_dir=str(world_dir(told.world)),
        sockets="", addresses={**told.addresses, "gateway": gateway},
    )  # fmt: skip
