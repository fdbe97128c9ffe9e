"""A room told to its end: as a document, and as Markdown for people. What people wrote stands there as they wrote it,
with whatever is Markdown or HTML in it made harmless."""

from __future__ import annotations

import re
from typing import Any

from sandbox.base.clock import iso
from sandbox.room import events as ev
from sandbox.room.events import Event
from sandbox.room.house import Deed, folded
from sandbox.room.state import Shared

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


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
    title = shared.opened.title if shared.opened else deed.code
    lines = [f"# {_safe(title)}", "", f"Room {deed.code}, {deed.backend}, {shared.phase}."]
    if shared.grade is not None:
        lines.append(f"Score {shared.grade.score:.2f}.")
    lines += ["", "## Who was there", ""]
    lines += [f"- {_safe(p.name)}, {p.role.replace('_', ' ')}" for p in shared.people.values()]
    lines += ["", "## What happened (world time)", ""]
    lines += [f"- {iso(e.world_ts)} {line}" for e in events if (line := _line(e, shared))]
    lines += ["", "## Report", ""]
    lines += [f"- {_safe(name)}: {_safe(str(value))}" for name, value in _report(shared, events).items()]
    return "\n".join(lines) + "\n"


def _report(shared: Shared, events: list[Event]) -> dict[str, Any]:
    """As it was handed in, else as it was drafted."""
    filed = next((e.what.report for e in events if isinstance(e.what, ev.ReportFiled)), None)
    return filed if filed is not None else {name: draft.value for name, draft in shared.draft.items()}


def _line(event: Event, shared: Shared) -> str:
    what, by = event.what, _safe(shared.name_of(event.who))
    match what:
        case ev.PageCame():
            return f"the page came: {_safe(what.text)}"
        case ev.Acknowledged():
            return f"{by} acknowledged it"
        case ev.Chatted() | ev.HintGiven():
            return f"{by}: {_safe(what.text)}"
        case ev.Injected():
            return f"{_safe(what.sender)} (from outside): {_safe(what.text)}"
        case ev.Acted():
            return f"{by} did {_safe(what.action)}: change {what.change}, {_safe(what.old)} to {_safe(what.new)}"
        case ev.HypothesisAdded():
            return f"{by} supposed: {_safe(what.text)}"
        case ev.HypothesisWeighed():
            return f"{by}: hypothesis {what.hypothesis} {what.verdict}. {_safe(what.note)}".rstrip()
        case ev.TimelineEdited():
            return f"noted for {iso(what.at_ts)}: {_safe(what.text)}"
        case ev.ReportFiled():
            return f"{by} handed the report in"
        case ev.Ended():
            return f"it ended: {_safe(what.why)}"
        case _:
            return ""


def _safe(text: str) -> str:
    """On one line, no character of it meaning anything to Markdown."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
