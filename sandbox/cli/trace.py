"""`sandbox trace`: one request as a waterfall in the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table as RichTable
from rich.text import Text

from sandbox.base.run import SERVICES, RunInfo, latest_run
from sandbox.cli.options import RunDir
from sandbox.cli.output import emit, out
from sandbox.telemetry.sql import SqlWorker
from sandbox.telemetry.waterfall import Bar, Waterfall, find

_COLOURS = ("green", "magenta", "cyan", "yellow", "red", "bright_blue", "blue")
_COLOUR = dict(zip(SERVICES, _COLOURS, strict=True))
_NUMBER = 7  # terminal columns of a duration
_WIDE = 110  # from so many columns on a status is written out


def trace(
    which: Annotated[
        str, typer.Argument(help="request id, a prefix of one, latest or slowest")
    ] = "latest",
    run_dir: RunDir = None,
    json_: Annotated[
        bool, typer.Option("--json", help="print {trace_id, ts, total_ms, spans}")
    ] = False,
) -> None:
    """Draw what happened to one request, RPC by RPC, with where the time went.

    A client span lasts from before the send to the answer, a server span is the callee's handler:
    what lies between the two is the network and the callee's queue.
    """
    run = RunInfo.load(run_dir or latest_run())
    with SqlWorker(run.lake) as worker:
        found = find(worker, which, run.speed)
    document = {
        "trace_id": found.trace_id,
        "ts": found.ts.isoformat(),
        "total_ms": found.total_ms,
        "spans": [asdict(bar) for bar in found.bars],
    }
    emit(document, lambda: out.print(render(found, out.width)), json_)


def render(found: Waterfall, width: int) -> RichTable:
    """The waterfall for a terminal of so many columns."""
    longest = max([6, *(len(bar.status or "") for bar in found.bars)])
    status_width = longest if width >= _WIDE else min(9, longest)
    rest = width - 3 * _NUMBER - status_width - 6  # 6: the gaps between seven columns
    label_width = min(48, max(24, rest * 3 // 5))
    bar_width = max(12, rest - label_width)
    table = RichTable(
        title=f"{found.trace_id}  world {found.ts:%Y-%m-%d %H:%M:%S}  {found.total_ms:.1f} ms",
        title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("span", no_wrap=True, width=label_width)
    for name in ("ms", "self", "queue"):
        table.add_column(name, justify="right", no_wrap=True, width=_NUMBER)
    table.add_column("status", no_wrap=True, width=status_width)
    table.add_column(f"0 … {found.total_ms:.1f} ms", no_wrap=True, width=bar_width)
    for bar in found.bars:
        status = Text(bar.status or "", "dim" if bar.status == "OK" else "bold red")
        queue = f"{bar.queue_ms:.1f}" if bar.queue_ms is not None else ""
        table.add_row(
            _label(bar), f"{bar.dur_ms:.1f}", f"{bar.self_ms:.1f}", queue, status,
            _drawn(bar, found.total_ms, bar_width),
        )  # fmt: skip
    return table


def _label(bar: Bar) -> Text:
    """A handler by its service, a call by an arrow to whom it went."""
    calls = bar.kind in ("client", "store")
    label = Text("  " * bar.depth)
    label.append(
        f"→ {bar.peer or '?'}" if calls else bar.service, _COLOUR.get(bar.service, "white")
    )
    label.append(f" {bar.op}")
    extra = [f"{bar.n_keys} keys"] if bar.n_keys else []
    extra += [f"batch {bar.batch_size}"] if bar.batch_size else []
    extra += [f"try {bar.attempt}"] if bar.attempt and bar.attempt > 1 else []
    label.append(f" {', '.join(extra)}" if extra else "", "dim")
    return label


def _drawn(bar: Bar, total_ms: float, width: int) -> Text:
    scale = width / total_ms if total_ms > 0 else 0.0
    start = min(width - 1, int(bar.start_ms * scale))
    length = max(1, min(width - start, round(bar.dur_ms * scale)))
    queued = min(length, round((bar.queue_ms or 0.0) * scale)) if bar.kind == "server" else 0
    colour = _COLOUR.get(bar.service, "white") if bar.status == "OK" else "red"
    drawn = Text(" " * start)
    drawn.append("░" * queued + ("█" if bar.kind == "server" else "▬") * (length - queued), colour)
    return drawn
