"""`sandbox twin`: what a finished drill came to beside what it would have come to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, require_writable
from sandbox.cli.output import emit, out, progress


def twin(
    run: Annotated[
        str | None, typer.Argument(help="Run directory of a drill that is over, or its name; default the latest.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds: the drill's own and further ones.")] = 1,
    metric: Annotated[str | None, typer.Option(help="Metric of the plot; default the one that tells most.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the plot of harm per minute to this SVG file.")] = None,
    json_: Json = False,
) -> None:
    """Run a drill again without its faults, without what was done, and with the best response; say
    what harm there was, what was averted, and what could have been."""
    from sandbox.drill.debrief.curves import curves, tells_most
    from sandbox.drill.debrief.page import harm_svg
    from sandbox.drill.play import drills
    from sandbox.drill.play.by_hand import AsPlanned
    from sandbox.drill.scenario.harms import METRICS
    from sandbox.drill.terminal import charts
    from sandbox.drill.twin import story as twins

    if metric is not None and metric not in METRICS:
        raise _refused("--metric", metric, f"one of {', '.join(METRICS)}")
    if plot is not None:
        require_writable(plot, "sandbox twin --plot", ".svg")
    found = drills.of_run(None) if run is None else twins.find(run)
    drill = AsPlanned(found.directory)  # arms have no instructor's hand
    with progress(json_) as show_progress:
        document = twins.document(drill, seeds, show_progress)
    if plot is not None:
        plot.write_text(harm_svg(document, metric))
    blocks = charts.in_blocks(curves(document, metric or tells_most(document)))
    emit(document, lambda: _print(document, blocks), json_)


def _refused(option: str, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-004", where=f"sandbox twin {option}", seen=seen, expected=expected, fix="see sandbox twin --help"
    )


def _print(document: dict[str, Any], plot: str) -> None:
    n = len(document["seeds"])
    begun = f"{document['onset_s'] / 60:.0f}" if document["onset_s"] is not None else "0, no fault"
    out.print(
        f"from world minute {begun} to {document['horizon_s'] / 60:.0f}; {n} seed{'s' * (n > 1)}, "
        "95 % intervals; more is worse, but for what was averted"
    )
    table = Table("", "harm", "averted", "regret", "pairing keeps", box=None, pad_edge=False)
    for name in document["harm"]:
        cells = [_cell(document[part][name]) for part in ("harm", "avoided", "regret")]
        table.add_row(name, *cells, f"{document['pairing'][name]:.0%} of variance")
    out.print(table)
    worst = sorted(document["by_segment"], key=lambda row: -(row["clicks"] or 0.0))[:6]
    segments = Table("hardest hit", "clicks", "satisfied sessions", "p99 ms", box=None, pad_edge=False)
    for row in worst:
        segments.add_row(row["segment"], *(_number(row[m]) for m in ("clicks", "satisfied_sessions", "p99_ms")))
    out.print(segments)
    out.print(escape(plot), highlight=False)
    for figure, seen in (document.get("calibration") or {}).items():
        apart = "" if seen["relative"] is None else f", {seen['relative']:+.1%}"
        out.print(f"[dim]virtual {figure} {seen['virtual']:.4g}, live {seen['live']:.4g}{apart}[/]")
    for notice in document["notices"]:
        out.print(f"[yellow]{escape(notice)}[/]")


def _cell(estimate: dict[str, float]) -> str:
    return f"{_number(estimate['estimate'])} ({_number(estimate['low'])}–{_number(estimate['high'])})"


def _number(value: float | None) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
