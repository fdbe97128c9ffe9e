"""The debrief as an incident report in Markdown, in the parts that post-mortems have. Pure.

Source of the parts: PagerDuty's post-mortem template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sandbox.drill.debrief.figures import harms
from sandbox.drill.debrief.templates import markdown_environment
from sandbox.drill.debrief.text import fit, harmless

WELL = 0.95  # of what an item can earn: from there on it went well


def incident_report(document: Mapping[str, Any]) -> str:
    """The whole report. document: of `debrief.document`, or the same read from JSON."""
    d = fit(document)
    twin = d["twin"]
    graded = [item for item in d["items"] if item["max"] or item["score"]] if d["report"] else []
    well = [item for item in graded if item["score"] >= WELL * item["max"]]
    text = markdown_environment(plain).get_template("report.md.j2").render(
        d=d, harms=harms(twin) if twin else [], well=well, less=[item for item in graded if item not in well],
        affected=_whole(twin), responder=_RESPONDERS[d["responder"]], percent=_percent, quoted=quoted, fenced=fenced,
    )  # fmt: skip
    return text.strip() + "\n"


def plain(value: Any) -> Any:
    """A text as `harmless` makes it; what is ours already stays."""
    return value if isinstance(value, Markup) else Markup(harmless(str(value)))


def quoted(text: str) -> Markup:
    """Line by line, as a quotation."""
    return Markup("\n".join(f"> {plain(line)}" for line in text.strip().splitlines()))


def fenced(text: str) -> Markup:
    """As code, with a fence longer than any in it."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return Markup(f"{fence}sql\n{text.strip()}\n{fence}")


_RESPONDERS = {
    None: "Not known.",
    "trainee": "The trainee on call.",
    "script": "The scripted responder.",
}


def _whole(twin: Mapping[str, Any] | None) -> str | None:
    affected = (twin or {}).get("affected_users")
    return None if affected is None else f"{affected:,.0f}"


def _percent(share: float) -> str:
    return f"{share:.0%}"
