"""The report of one load run as a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.lab.gathered import lost
from loadtest.lab.histogram import Histogram
from loadtest.lab.report.charts import Chart, Line, chart
from loadtest.lab.report.page import Part, number, page

_SHOWN = ("50", "90", "99", "99.9", "99.99")
_ROWS = (
    ("from the intended start", "percentiles_ms"),
    ("from the actual send", "sent_percentiles_ms"),
    ("a closed loop beside it", "closed_loop_percentiles_ms"),
)


def report(saved: Mapping[str, Any]) -> str:
    """saved: of `loadtest.lab.saved`, with its document, series and histograms."""
    d = saved["document"]
    subtitle = (
        f"{d['shape']}, {number(d['offered_per_s'])} requests/s for {d['seconds']:g} s · {d['sent']:,} sent, "
        f"{d['ok']:,} answered · {saved['when']} · {saved['run']}"
    )
    parts = [_latencies(saved), _rates(saved), _saturation(saved), *_tables(d)]
    return page("Load report", subtitle, parts, _notices(d))


def omission(d: Mapping[str, Any]) -> str:
    """What a load that waits for answers would have left out, in words."""
    closed, n = d["closed_loop"], d["sent"]
    return (
        f"A closed loop of {closed['callers']} {'caller' if closed['callers'] == 1 else 'callers'}, each of whom waits for "
        f"an answer before asking again, would have made {closed['requests']:,} of these {n:,} requests. The "
        f"{closed['never_made']:,} it would not have made are those that came while it waited: it does not see how long "
        "they took."
    )


def _latencies(saved: Mapping[str, Any]) -> Part:
    d = saved["document"]
    head = ("latency, ms", *(f"p{p}" for p in _SHOWN))
    rows = [(about, *(number((d[key] or {}).get(p)) for p in _SHOWN)) for about, key in _ROWS]
    few = d["ok"] < 10_000
    texts = [omission(d)]
    if few:
        texts.append(
            f"p99.99 is the longest of {d['ok']:,} requests: one in ten thousand takes at least as many to tell."
        )
    return Part("Latency", texts, [percentiles(saved)], [head, *rows])


def percentiles(saved: Mapping[str, Any]) -> Chart:
    """Latency by percentile, as it was, and as a closed loop beside it would have seen it."""
    lines = []
    for name, kind, key in (("intended start", "a", "latency"), ("actual send", "c", "service")):
        curve = Histogram.decode(saved["histograms"][key]).curve()
        lines.append(Line(name, kind, [(min(1 / max(above, 1e-4), 1e4), ms) for above, ms in curve]))
    closed = saved["document"]["closed_loop_percentiles_ms"] or {}
    points = [(1 / max(1 - float(p) / 100, 1e-4), ms) for p, ms in closed.items()]
    lines.append(Line("closed loop", "d", points))
    return chart("Latency by percentile, ms", lines, "percentile", x="percentiles", y="log")


def _rates(saved: Mapping[str, Any]) -> Part:
    rows = saved["series"]
    rates = [
        Line(name, kind, [(r["at_s"], r[key]) for r in rows])
        for name, kind, key in (
            ("offered", "c", "offered_per_s"),
            ("answered", "a", "ok_per_s"),
            ("failed", "b", "failed_per_s"),
        )
    ]
    times = [
        Line(name, kind, [(r["at_s"], r[key]) for r in rows if r[key] is not None])
        for name, kind, key in (
            ("p50", "a", "p50_ms"),
            ("p99", "b", "p99_ms"),
            ("p99 from the send", "d", "sent_p99_ms"),
        )
    ]
    charts = [
        chart("Requests per second", rates, "seconds since the load began"),
        chart("Latency over time, ms, from the intended start", times, "seconds since the load began", y="log"),
    ]
    return Part("Over time", charts=charts)


def _saturation(saved: Mapping[str, Any]) -> Part:
    d = saved["document"]
    names = sorted({name for _, name, _ in saved["cpu"]}, key=lambda n: -sum(c for _, m, c in saved["cpu"] if m == n))[
        :5
    ]
    lines = [
        Line(name, kind, [(s, cores) for s, of, cores in saved["cpu"] if of == name])
        for name, kind in zip(names, "abcde", strict=False)
    ]
    table = [("resource", "used", "evidence")] + [
        (r["resource"], f"{r['used']:.0%}", r["evidence"]) for r in d["resources"][:8]
    ]
    said = d["saturated"]
    text = f"Saturated: {said['resource']}. {said['evidence']}." if said["resource"] else f"{said['evidence']}."
    charts = [chart("Cores in use", lines, "seconds since the load began")] if lines else []
    return Part("What was used up", [text], charts, table)


def _tables(d: Mapping[str, Any]) -> Sequence[Part]:
    def table(kinds: Mapping[str, Any], of: str) -> list[tuple[str, ...]]:
        rows = [
            (name, f"{k['n']:,}", *(number((k["percentiles_ms"] or {}).get(p)) for p in _SHOWN))
            for name, k in kinds.items()
        ]
        return [(of, "requests", *(f"p{p}" for p in _SHOWN)), *rows]

    parts = [
        Part("By stage", ["Wall time in the gateway, ms."], table=table(d["by_stage"], "stage")),
        Part("By segment of users", ["From the intended start, ms."], table=table(d["by_segment"], "segment")),
    ]
    errors = [("status", "requests"), *((name, f"{n:,}") for name, n in d["errors"].items())]
    texts = [f"{sum(d['errors'].values()):,} of {d['sent']:,} requests failed."]
    if d["fallback_share"]:
        texts.append(f"A fallback answered for some stage of {d['fallback_share']:.1%} of the others.")
    workers = [(str(w["worker"]), f"{w['told']:,}", *(number((w["percentiles_ms"] or {}).get(p)) for p in _SHOWN))
               for w in d.get("workers", ())]  # fmt: skip
    head = ("worker", "requests", *(f"p{p}" for p in _SHOWN))
    parts.append(
        Part("By worker", ["From the intended start, ms, by the histograms that they sent."], table=[head, *workers])
    )
    return [*(p for p in parts if len(p.table) > 1), Part("Errors", texts, table=errors if d["errors"] else ())]


def _notices(d: Mapping[str, Any]) -> list[str]:
    found = []
    if d["interrupted"]:
        found.append("The run was ended early; this is what was measured until then.")
    late = d["generator_lateness_p99_ms"]
    typical = (d["percentiles_ms"] or {}).get("50")
    if late is not None and typical is not None and late > max(10.0, typical / 4):
        found.append(
            f"The generator was late: 1 % of requests left it {number(late)} ms or more after their time. Latencies from the "
            "intended start hold that; give it a core of its own, or a lower rate."
        )
    found.extend(lost(d.get("workers", ())))
    if d["offered"] > d["sent"]:
        found.append(f"{d['offered'] - d['sent']:,} requests were wanted and never sent.")
    if d["note"]:
        found.append(f"Telemetry: {d['note']}")
    return found
