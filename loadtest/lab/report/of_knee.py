"""The report of a search for the knee as a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from loadtest.lab.report.charts import Chart, Line, chart
from loadtest.lab.report.page import Part, number, page
from loadtest.lab.slo import Slo
from loadtest.lab.usl import Law


def report(d: Mapping[str, Any], subtitle: str) -> str:
    """d: of `knee_run.told`."""
    saturated = d["saturated"]
    head = ("requests/s", "percentile, ms", "holds", "requests", "answered/s", "in flight", "generator late, ms")
    rows = [
        (
            number(p["rate"]), number(p["value_ms"]), "yes" if p["holds"] else "no", f"{p['n']:,}", number(p["ok_per_s"]),
            number(p["in_flight"]), number(p["late_ms"]),
        )
        for p in d["points"]
    ]  # fmt: skip
    parts = [
        Part("The knee", [f"{d['said']}.", f"Saturated: {saturated['resource'] or 'nothing'}. {saturated['evidence']}."],
             [_percentile(d)]),
        Part("Scalability", [d["usl"]["said"] + "."] if d["usl"] else ["Too few different points for a curve."],
             [_law(d)] if d["usl"] else []),
        Part("Trials", table=[head, *rows]),
    ]  # fmt: skip
    stopped = [f"Ended before it was done: {d['stopped']}."] if d["stopped"] else []
    return page(f"Knee at {d['slo']}", subtitle, parts, [*stopped, *d["notes"]])


def _percentile(d: Mapping[str, Any]) -> Chart:
    limit_ms = Slo.of(d["slo"]).limit_ms
    kinds = [
        Line(
            name,
            kind,
            [(p["rate"], p["value_ms"]) for p in d["points"] if p["holds"] is holds and p["value_ms"]],
            dots=True,
        )
        for name, kind, holds in (("held", "c", True), ("did not", "b", False))
    ]
    return chart("Percentile by rate, ms", kinds, "requests per second", y="log", level=(limit_ms, d["slo"]))


def _law(d: Mapping[str, Any]) -> Chart:
    usl = d["usl"]
    points = [(p["in_flight"], p["ok_per_s"]) for p in d["points"]]
    most = max(n for n, _ in points)
    n = np.linspace(most / 200, most * 1.1, 120)
    curve = Law(usl["alpha"], usl["beta"], usl["gamma"]).at(n)
    lines = [
        Line("fitted law", "a", list(zip(n.tolist(), curve.tolist(), strict=True))),
        Line("measured", "b", points, dots=True),
    ]
    return chart("Answers per second by requests in flight", lines, "requests in flight")
