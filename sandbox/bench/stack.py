"""What a stack costs to start, to hold and to drill."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sandbox.bench.processes import conditions, pss_mb
from sandbox.bench.stats import Report
from sandbox.runtime.building import ensure_built, quiet
from sandbox.runtime.stack import Stack

SETTLE_S = 5.0  # wall seconds between ready and the memory reading: the materialiser has run by then


def measure(world: str, drill: str | None) -> Report:
    """warm_up_s: from nothing running, with everything built, to ready. pss_mb: all processes of the
    idle stack, Redis among them. drill_s: `drill` from up to down by the scripted responder."""
    report = Report(conditions=conditions(world=world, drill=drill))
    ensure_built(world, quiet)
    run_dir = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        began = time.perf_counter()
        with Stack.up(world, run_dir=run_dir) as stack:
            report.figures["warm_up_s"] = time.perf_counter() - began
            time.sleep(SETTLE_S)  # the idle stack is what is measured
            pids = {s["name"]: s["pid"] for s in stack.status()["services"]}
            for name, pid in pids.items():
                report.figures[f"pss_{name}_mb"] = pss_mb([pid])
            report.figures["pss_mb"] = sum(report.figures[f"pss_{name}_mb"] for name in pids)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
    if drill is not None:
        report.figures |= _drill(drill)
    return report


def gentlest_drill() -> str | None:
    """Name of the easiest drill; None when there are none."""
    listed = json.loads(_sandbox("drill", "list", "--json"))
    ranked = sorted(listed, key=lambda d: (d["difficulty"], d["minutes"], d["name"]))
    return str(ranked[0]["name"]) if ranked else None


def _drill(name: str) -> dict[str, float]:
    began = time.perf_counter()
    answer = json.loads(_sandbox("drill", "start", name, "--seed", "1", "--autopilot", "--json"))
    return {"drill_s": time.perf_counter() - began, "drill_score": float(answer["score"])}


def _sandbox(*arguments: str) -> str:
    command = [sys.executable, "-m", "sandbox.cli.app", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
