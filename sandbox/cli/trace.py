"""`sandbox trace`: one request as a waterfall in the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from sandbox.base.run import RunInfo, latest_run
from sandbox.cli.noting import note_look
from sandbox.cli.options import RunDir
from sandbox.cli.output import emit, out
from sandbox.telemetry.drawing import drawn
from sandbox.telemetry.sql import SqlWorker
from sandbox.telemetry.waterfall import find


def trace(
    which: Annotated[str, typer.Argument(help="request id, a prefix of one, latest or slowest")] = "latest",
    run_dir: RunDir = None,
    json_: Annotated[bool, typer.Option("--json", help="print {trace_id, ts, total_ms, spans}")] = False,
) -> None:
    """Draw what happened to one request, RPC by RPC, with where the time went.

    A client span lasts from before the send to the answer, a server span is the callee's handler:
    what lies between the two is the network and the callee's queue.
    """
    run = RunInfo.load(run_dir or latest_run())
    with SqlWorker(run.lake) as worker:
        found = find(worker, which, run.speed)
    note_look(run, f"trace {which}")
    document = {
        "trace_id": found.trace_id,
        "ts": found.ts.isoformat(),
        "total_ms": found.total_ms,
        "spans": [asdict(bar) for bar in found.bars],
    }
    emit(document, lambda: out.print(drawn(found, out.width)), json_)
