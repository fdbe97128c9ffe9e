"""A waterfall drawn for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from sandbox.base.instances import process_of
from sandbox.base.run import SERVICES
from sandbox.telemetry.waterfall import Bar, Waterfall

_COLOURS = ("green", "magenta", "cyan", "yellow", "red", "bright_blue", "blue")
_COLOUR = dict(zip(SERVICES, _COLOURS, strict=True))
_NUMBER = 7  # terminal columns of a duration
_WIDE = 110  # from so many columns on a status is written out


def drawn(found: Waterfall, width: int) -> Table:
    """The waterfall for a terminal of so many columns."""
    longest = max([6, *(len(bar.status or "") for bar in found.bars)])
    status_width = longest if width >= _WIDE else min(9, longest)
    rest = width - 3 * _NUMBER - status_width - 6  # 6: the gaps between seven columns
    label_width = min(48, max(24, rest * 3 // 5))
    bar_width = max(12, rest - label_width)
    table = Table(
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
            _label(bar), f"{bar.dur_ms:.1f}", f"{bar.self_ms:.1f}", queue, status, _bar(bar, found.total_ms, bar_width)
        )
    return table


def _label(bar: Bar) -> Text:
    """A handler by its process, a call by an arrow to whom it went."""
    calls = bar.kind in ("client", "store")
    label = Text("  " * bar.depth)
    label.append(f"→ {bar.peer or '?'}" if calls else process_of(bar.instance), _COLOUR.get(bar.service, "white"))
    label.append(f" {bar.op}")
    extra = [f"{bar.n_keys} keys"] if bar.n_keys else []
    extra += [f"batch {bar.batch_size}"] if bar.batch_size else []
    extra += [f"try {bar.attempt}"] if bar.attempt and bar.attempt > 1 else []
    label.append(f" {', '.join(extra)}" if extra else "", "dim")
    return label


def _bar(bar: Bar, total_ms: float, width: int) -> Text:
    scale = width / total_ms if total_ms > 0 else 0.0
    start = min(width - 1, int(bar.start_ms * scale))
    length = max(1, min(width - start, round(bar.dur_ms * scale)))
    queued = min(length, round((bar.queue_ms or 0.0) * scale)) if bar.kind == "server" else 0
    colour = _COLOUR.get(bar.service, "white") if bar.status == "OK" else "red"
    line = Text(" " * start)
    line.append("░" * queued + ("█" if bar.kind == "server" else "▬") * (length - queued), colour)
    return line
