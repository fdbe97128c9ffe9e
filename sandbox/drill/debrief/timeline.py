"""All that happened in a drill, in order: what was true, what the trainee was told, looked at, asked and did. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox.base.clock import iso
from sandbox.drill.play.journal import Entry
from sandbox.drill.play.notebook import Look
from sandbox.drill.play.report import Report, world_time

TOLD = {"step": "change", "armed": "the fault begins", "disarmed": "the fault ends", "page": "page",
        "action": "you act", "hint": "you take a hint", "report": "you report", "abandoned": "you give it up",
        "query": "you ask", "look": "you look"}  # fmt: skip


def timeline(entries: Sequence[Entry], looks: Iterable[Look], began_ts: float) -> list[dict[str, Any]]:
    """Rows {ts, wall, at_s, kind, what, words}, by world time. kind: one of TOLD. id: of the fault, on rows of its
    beginning and end. Looks whose time was not noted are left out."""
    rows = [
        _row(e.world_ts, e.wall_ts, began_ts, e.what, _words(e), id=e.fields.get("id"))
        for e in entries
        if _worth_telling(e)
    ]
    rows += [
        _row(look.world_ts, look.wall_ts, began_ts, "query" if look.is_query else "look", look.text)
        for look in looks
        if look.world_ts is not None
    ]
    return sorted(rows, key=lambda row: row["at_s"])


def wall_time(wall_ts: float | None) -> str | None:
    """Of the wall clock (UTC); None where it is not known: a world that nobody waits for has none, and notes 0."""
    return iso(wall_ts) if wall_ts else None


def _row(
    world_ts: float, wall_ts: float | None, began_ts: float, kind: str, words: str, id: str | None = None
) -> dict[str, Any]:
    row = {"ts": world_time(world_ts), "wall": wall_time(wall_ts), "at_s": world_ts - began_ts, "kind": kind, "what": TOLD[kind],
           "words": words}  # fmt: skip
    return row if id is None else {**row, "id": str(id)}


def _worth_telling(entry: Entry) -> bool:
    """Steps that released nothing are told by the fault that they armed."""
    fields = entry.fields
    return entry.what in TOLD and (entry.what != "step" or "change" in fields or "release" in fields)


def _words(entry: Entry) -> str:
    fields = entry.fields
    if entry.what == "step":
        return f"{fields['target']}: " + "; ".join(str(fields[k]) for k in ("change", "release") if k in fields)
    if entry.what == "armed":
        return f"{fields['fault']} on {fields['target']}"
    if entry.what == "disarmed":
        return f"ended by: {fields['why']}"
    if entry.what == "page":
        return str(fields["text"]).strip().splitlines()[0]
    if entry.what == "report":
        said = Report.model_validate(fields["report"])  # also as it stood in journals of before
        causes = (f"{cause.component}: {cause.mechanism}" for cause in said.causes)
        return "; ".join(causes) if said.incident else "nothing is wrong"
    return str(fields.get("text", ""))
