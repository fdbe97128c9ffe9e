"""The report of a long load as a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.lab.report.charts import Line, chart
from loadtest.lab.report.page import Part, number, page

HEAD = ("process", "MB at first", "at last", "MB an hour (95 %)", "memory", "files, first to last", "files", "restarts")
Samples = Mapping[str, Sequence[tuple[float, float, float]]]


def report(d: Mapping[str, Any], seen: Samples, subtitle: str) -> str:
    """d: of `sandbox load soak`. seen: the samples of `soak.Watch`."""
    most = sorted(seen, key=lambda name: -abs(d["processes"][name]["rss_mb"]["per_h"] or 0.0))[:5]
    charts = [
        chart(title, [Line(n, kind, [(r[0] / 60, r[at]) for r in seen[n]]) for n, kind in zip(most, "abcde", strict=False)],
              "minutes since the load began")
        for title, at in (("Memory, MB", 1), ("Open files", 2))
    ]  # fmt: skip
    parts = [Part("Over time", ["The five whose memory changed most."], charts),
             Part("Processes", table=[HEAD, *(cells(name, p) for name, p in d["processes"].items())])]  # fmt: skip
    notices = [d["said"]] + (["Ended early; this is what was measured until then."] if d["interrupted"] else [])
    return page("Soak", subtitle, parts, notices)


def cells(name: str, p: Mapping[str, Any]) -> tuple[str, ...]:
    """A process' row in words."""
    memory, files = p["rss_mb"], p["files"]
    slope = f"{number(memory['per_h'])} ({number(memory['low'])} to {number(memory['high'])})"
    return (
        name, number(memory["first"]), number(memory["last"]), slope, memory["verdict"],
        f"{number(files['first'])} to {number(files['last'])}", files["verdict"], str(p["restarts"]),
    )  # fmt: skip
