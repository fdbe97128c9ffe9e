"""`sandbox load verify`: whether what was acknowledged is on record."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, out


def verify(
    report: Annotated[Path, typer.Argument(help="A report of `sandbox load run`.")],
    within: Annotated[float, typer.Option(help="Wall seconds to wait for rows that are still on their way.")] = 10.0,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Hold the feedback that a load had acknowledged against the lake's outcomes: each must be there, once.

    Exit code 1 when something is missing or there twice.
    """
    from loadtest.lab.saved import read
    from loadtest.lab.telemetry import LOOK_S
    from loadtest.lab.told import accounts, recorded
    from sandbox.base.run import RunInfo

    saved = read(report)
    lake = RunInfo.load(run_dir or Path(saved.whole["run"])).lake
    wanted, give_up = saved.acknowledged, time.monotonic() + within
    found = accounts(wanted, recorded(lake))
    pause = threading.Event()  # which nobody sets
    while found["missing"] and time.monotonic() < give_up:
        pause.wait(LOOK_S)
        found = accounts(wanted, recorded(lake))
    emit(found, lambda: _show(found), json_)
    if not found["equal"]:
        raise typer.Exit(1)


def _show(d: dict[str, Any]) -> None:
    out.print(
        f"{d['acknowledged']} events acknowledged, {d['recorded']} on record, {d['missing']} missing, {d['twice']} there twice"
    )
    for one in d["missing_ids"]:
        out.print(f"missing: {one}", markup=False)
