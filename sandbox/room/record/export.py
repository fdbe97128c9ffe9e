"""A room told to its end: as a document, as Markdown and as one page that needs nothing else. What people wrote stands there
as they wrote it, with whatever is markup in it made harmless. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sandbox.base.clock import iso
from sandbox.drill.debrief.text import all_visible, harmless
from sandbox.room import events as ev
from sandbox.room.events import Event
from sandbox.room.house import Deed, folded
from sandbox.room.record.moments import Line, lines
from sandbox.room.state import Shared

_HERE = Path(__file__).parent


def document(deed: Deed, events: list[Event]) -> dict[str, Any]:
    """For programs: everything, as the instructor has it."""
    shared = folded(events)
    return {
        "code": deed.code, "scenario": deed.scenario, "backend": deed.backend, "phase": shared.phase.value,
        "participants": [{"name": p.name, "role": p.role.value} for p in shared.people.values()],
        "report": _report(shared, events), "score": shared.grade.score if shared.grade else None,
        "events": [event.model_dump(mode="json") for event in events],
    }  # fmt: skip


def markdown(deed: Deed, events: list[Event]) -> str:
    """For people: who was there, what happened when, the report."""
    shared = folded(events)
    text = [f"# {harmless(_title(deed, shared))}", "", f"Room {deed.code}, {deed.backend}, {shared.phase}."]
    if shared.grade is not None:
        text.append(f"Score {shared.grade.score:.2f}.")
    text += ["", "## Who was there", ""]
    text += [f"- {harmless(p.name)}, {p.role.replace('_', ' ')}" for p in shared.people.values()]
    text += ["", "## What happened (world time)", ""]
    text += [f"- {iso(line.world_ts)} {harmless(line.text)}" for line in _told(events)]
    text += ["", "## Report", ""]
    text += [f"- {harmless(name)}: {harmless(str(value))}" for name, value in _report(shared, events).items()]
    return "\n".join(text) + "\n"


def page(deed: Deed, events: list[Event]) -> str:
    """The same as HTML. Its policy lets a browser load nothing and run nothing."""
    shared = folded(events)
    style = Markup((_HERE / "export.css").read_text())
    sign = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    graded = shared.grade
    told = {
        "title": _title(deed, shared), "code": deed.code, "backend": deed.backend, "phase": shared.phase.value,
        "score": None if graded is None else graded.score, "report": _report(shared, events),
        "items": [] if graded is None else list(graded.document.get("items") or []),
        "people": [{"name": p.name, "role": p.role.replace("_", " ")} for p in shared.people.values()],
        "lines": [{"ts": iso(line.world_ts), "kind": line.kind, "text": line.text} for line in _told(events)],
    }  # fmt: skip
    return _environment().get_template("export.html.j2").render(style=style, sign=f"sha256-{sign}", **all_visible(told))


def _title(deed: Deed, shared: Shared) -> str:
    return shared.opened.title if shared.opened else deed.code


def _told(events: Sequence[Event]) -> list[Line]:
    return list(lines(events, aside=False))


def _report(shared: Shared, events: list[Event]) -> dict[str, Any]:
    """As it was handed in, else as it was drafted."""
    filed = next((e.what.report for e in events if isinstance(e.what, ev.ReportFiled)), None)
    return filed if filed is not None else {name: draft.value for name, draft in shared.draft.items()}


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
