"""Which parts of a grade, and of what was done in a room, make which skill: one table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.room.events import INSTRUCTOR, SERVER, Chatted, Event, Injected, StatusAsked, StatusUpdated

# Items of a grade are weighed by what they could earn in that drill, which the grade says. A drill without an item (a
# false alarm has no component) says nothing about it.
SKILLS: Mapping[str, tuple[str, ...]] = {
    "detect": ("detection", "onset"),
    "locate": ("component", "mechanism", "segment"),
    "quantify": ("impact",),
    "query": ("evidence", "ruled_out"),
    "decide": ("mitigation", "side_effects"),
    "communicate": ("confidence", "acknowledged", "answered"),
}
IN_A_ROOM: Mapping[str, str] = {
    "acknowledged": "the page within 5 world minutes: all; after 30: nothing; straight in between",
    "answered": "of the messages from outside, the share after which somebody of the team said something within 15 world minutes",
}  # of the journal, not of the grade: a drill in a terminal has neither
_WEIGHT = 0.05  # of each of them, as much as confidence has
_AT_ONCE_S, _TOO_LATE_S, _ANSWER_S = 300.0, 1_800.0, 900.0


@dataclass(frozen=True)
class Mark:
    """score of max, both as shares of the whole grade. source: grade or room."""

    part: str
    score: float
    max: float
    source: str


def marks(
    items: Iterable[Mapping[str, Any]], overrides: Mapping[str, float], events: Sequence[Event]
) -> Iterator[Mark]:
    """items: of a grade's document. overrides: item -> another score, by the instructor. events: of a room, empty for a
    drill in a terminal."""
    for item in items:
        most = float(item["max"])
        if most > 0:
            score = overrides.get(str(item["item"]), float(item["score"]))
            yield Mark(str(item["item"]), min(max(0.0, score), most), most, "grade")
    for part, share in (("acknowledged", _acknowledged(events)), ("answered", _answered(events))):
        if share is not None:
            yield Mark(part, share * _WEIGHT, _WEIGHT, "room")


def shares(found: Iterable[Mark]) -> dict[str, float | None]:
    """Each skill, 0..1; None where nothing was seen of it."""
    by_part = {mark.part: mark for mark in found}
    told: dict[str, float | None] = {}
    for skill, parts in SKILLS.items():
        seen = [by_part[part] for part in parts if part in by_part]
        told[skill] = sum(m.score for m in seen) / sum(m.max for m in seen) if seen else None
    return told


def table() -> Iterator[str]:
    """The whole of it as lines of Markdown."""
    yield "| skill | items of the grade | of what was done in the room |"
    yield "|---|---|---|"
    for skill, parts in SKILLS.items():
        graded = ", ".join(part.replace("_", " ") for part in parts if part not in IN_A_ROOM)
        done = "; ".join(f"{part}: {IN_A_ROOM[part]}" for part in parts if part in IN_A_ROOM)
        yield f"| {skill} | {graded} | {done} |"


def _acknowledged(events: Sequence[Event]) -> float | None:
    page = next((event for event in events if event.kind == "page_came"), None)
    if page is None:
        return None
    read = next((event for event in events if event.kind == "acknowledged"), None)
    late_s = _TOO_LATE_S if read is None else read.world_ts - page.world_ts
    return min(1.0, max(0.0, (_TOO_LATE_S - late_s) / (_TOO_LATE_S - _AT_ONCE_S)))


def _is_asked(event: Event) -> bool:
    """Neither what leads astray, nor a colleague's remark on what they did, nor what the server tells of itself."""
    what = event.what
    if isinstance(what, Injected):
        return what.sender != SERVER and not what.herring and what.name is None
    return isinstance(what, StatusAsked)


def answers(events: Sequence[Event]) -> list[Event | None]:
    """Of each message from outside what somebody of the team said first after it, None where nobody did in time."""
    said = [e for e in events if isinstance(e.what, Chatted | StatusUpdated) and e.who != INSTRUCTOR]
    return [
        next((s for s in said if a.seq < s.seq and s.world_ts - a.world_ts <= _ANSWER_S), None)
        for a in events if _is_asked(a)
    ]  # fmt: skip


def _answered(events: Sequence[Event]) -> float | None:
    asked = answers(events)
    return sum(answer is not None for answer in asked) / len(asked) if asked else None
