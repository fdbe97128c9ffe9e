"""The report of a sweep as a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.lab.report.charts import Chart, Line, chart
from loadtest.lab.report.page import Part, number, page

HEAD = ("settings", "trials", "quality", "CPU-ms a request", "latency, ms", "answered", "frontier")


def report(d: Mapping[str, Any], subtitle: str) -> str:
    """d: of `sweep_run.sweep`."""
    rows = [cells(row) for row in d["rows"]]
    best = [r["point"] for r in d["rows"] if r["frontier"]]
    texts = [
        "On the frontier is what nothing else tried is as good as in all three and clearly better in one: "
        + ("; ".join(best) or "nothing yet")
        + ".",
        "Quality is what the slates were worth to those who saw them, by the world's truth, as a share of the best slates there "
        "could be; a request that failed has none. Intervals are 95 %, over the rounds.",
    ]
    charts = [_plot(d, "cpu_ms", "CPU-ms a request"), _plot(d, "latency_ms", f"p{d['percentile'] * 100:g}, ms")]
    parts = [Part("Frontier", texts, charts), Part("Points", table=[HEAD, *rows])]
    stopped = [f"Ended before it was done: {d['stopped']}; the same command goes on."] if d["stopped"] else []
    return page("Sweep", subtitle, parts, stopped)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A point's row in words."""
    beaten = "yes" if row["frontier"] else f"no: {row['beaten_by'][0]}" if row["beaten_by"] else "no"
    figures = (_with_interval(row[name]) for name in ("quality", "cpu_ms", "latency_ms"))
    return (row["point"], str(row["trials"]), *figures, f"{row['ok_share']:.1%}", beaten)


def _with_interval(figure: Mapping[str, float | None]) -> str:
    if figure["low"] is None:
        return number(figure["mean"])
    return f"{number(figure['mean'])} ({number(figure['low'])} to {number(figure['high'])})"


def _plot(d: Mapping[str, Any], name: str, x_name: str) -> Chart:
    lines = []
    for label, kind, on in (("on the frontier", "c", True), ("beaten", "b", False)):
        mine = [r for r in d["rows"] if r["frontier"] is on and r[name]["mean"] is not None]
        lines.append(Line(label, kind, [(r[name]["mean"], r["quality"]["mean"]) for r in mine], dots=True))
    edge = sorted(
        (r[name]["mean"], r["quality"]["mean"]) for r in d["rows"] if r["frontier"] and r[name]["mean"] is not None
    )
    stairs, top = [], float("-inf")
    for x, quality in edge:
        if quality > top:
            stairs.append((x, quality))
            top = quality
    lines.append(Line("best for its cost", "a", stairs))
    return chart(f"Quality over {x_name}", lines, x_name)
