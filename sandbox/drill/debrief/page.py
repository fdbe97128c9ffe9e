"""The debrief as one HTML file that needs nothing else: no script to be read, no network, nothing loaded. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sandbox.drill.debrief.curves import curves, tells_most
from sandbox.drill.debrief.figures import harms, number
from sandbox.drill.debrief.pictures import Clock, harm_chart, timeline_picture
from sandbox.drill.debrief.templates import environment, ours
from sandbox.drill.debrief.text import fit
from sandbox.drill.scenario.harms import METRICS

PARTS = (
    ("page", "Page"), ("truth", "What happened"), ("score", "Score"), ("harm", "Harm"), ("timeline", "Timeline"),
    ("queries", "Queries"), ("best", "Best response"), ("report", "Report"), ("learn", "Lesson"),
)  # fmt: skip


def page(document: Mapping[str, Any]) -> str:
    """The whole page. document: of `debrief.document`, or the same read from JSON."""
    d = fit(document)
    clock = Clock(d["began"])
    style, script = Markup(ours("page.css") + ours("chart.css")), ours("page.js")
    return environment().get_template("page.html.j2").render(
        d=d, parts=PARTS, style=style, style_hash=_hash(style), script=script, script_hash=_hash(script),
        picture=timeline_picture(d["timeline"], d["length_s"], clock), wall=_wall, grade=_grade, number=number,
        **_harm(d["twin"], clock),
    )  # fmt: skip


def harm_svg(document: Mapping[str, Any], metric: str | None = None) -> str:
    """Harm per minute as a file of its own. document: of `sandbox twin`. metric: None for the one that tells most."""
    chart = harm_chart(curves(document, metric or tells_most(document)), Clock())
    template = environment().get_template("harm.svg.j2")
    return str(template.module.harm(chart, ours("chart.css"))) + "\n"  # type: ignore[attr-defined]


def _harm(twin: Mapping[str, Any] | None, clock: Clock) -> dict[str, Any]:
    """What the part about harm shows."""
    if not twin or not twin["per_minute"]:
        return {"chart": None, "charts": [], "harms": [], "harm_from": "", "harm_to": ""}
    told = tells_most(twin)
    others = [m for m in METRICS if m != told and _moves(twin, m)]
    minutes = [row["minute"] for row in twin["per_minute"]]
    return {
        "chart": harm_chart(curves(twin, told), clock),
        "charts": [harm_chart(curves(twin, m), clock, small=True) for m in others],
        "harms": harms(twin),
        "harm_from": clock.name(minutes[0]),
        "harm_to": clock.name(minutes[-1] + 1),
    }


def _moves(twin: Mapping[str, Any], metric: str) -> bool:
    """Whether there is anything to draw of a metric."""
    return any(row[metric] for rows in ("per_minute", "with_nothing_done") for row in twin[rows])


def _grade(item: Mapping[str, Any]) -> str:
    """The class of an item's score."""
    if not item["max"] and not item["score"]:
        return "quiet"
    if item["score"] >= item["max"] - 1e-9:
        return "good"
    return "fair" if item["score"] > 0 else "bad"


def _wall(wall: str | None) -> str:
    """Hours, minutes and seconds of the wall clock, where it is known."""
    return f"{wall[11:19]} UTC" if wall else "–"


def _hash(text: str) -> str:
    """As a Content-Security-Policy names a style or a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
