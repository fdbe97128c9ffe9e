"""A room at any moment of its life: its events up to a number, folded as they were folded then. Pure.

That works because state is made of events and of nothing else, and projections of state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from sandbox.room import projections
from sandbox.room.documents import Moment
from sandbox.room.events import Event, Joined
from sandbox.room.record.telling import words
from sandbox.room.state import Shared

TRUTH = "truth"  # kind of a line that no event tells: what was really done to the stack
_MOST = 400  # characters of a line


class Line(BaseModel, frozen=True):
    """seq: of the event; of the last one before it for a line of kind `truth`, which nobody in the room saw. by: a name.
    wall_ts: None where nobody waited for the world."""

    seq: int
    kind: str
    by: str
    role: str | None
    world_ts: float
    wall_ts: float | None
    text: str


def upto(events: Sequence[Event], seq: int) -> Sequence[Event]:
    """seq: at most that of the last one counts, at least that of the first."""
    return events[: max(1, seq)]


def moment(events: Sequence[Event], seq: int, truth: dict[str, Any]) -> Moment:
    """events: all of them, from 1 without gaps, at least one. truth: as `truth.told` has it, or empty."""
    past = upto(events, seq)
    shared = Shared()
    for event in past:
        shared.apply(event)
    now_ts = past[-1].world_ts
    told = [name for name in ("done", "by_hand", "herrings") if name in truth]
    by_then: dict[str, Any] = {name: [row for row in truth[name] if row["world_ts"] <= now_ts] for name in told}
    known = {**truth, **by_then}
    return projections.of_moment(shared, known, now_ts)


def lines(events: Iterable[Event], *, aside: bool, done: Iterable[dict[str, Any]] = ()) -> Iterator[Line]:
    """One for each event that is worth it, in order. aside: with those of the instructor alone. done: of the truth, rows
    {world_ts, text}; each comes before the first event that is later."""
    names: dict[str, str] = {}
    left = sorted(done, key=lambda row: row["world_ts"])
    last = 0
    for event in events:
        while left and left[0]["world_ts"] < event.world_ts:
            yield _of_the_truth(left.pop(0), last)
        last = event.seq
        if isinstance(event.what, Joined):
            names[event.what.participant] = event.what.name
        text = words(event, lambda who: names.get(who, who))
        if text and (aside or not event.instructors_alone):
            yield Line(
                seq=event.seq, kind=event.kind, by=names.get(event.who, event.who), role=event.role, text=_short(text),
                world_ts=event.world_ts, wall_ts=event.wall_ts or None,
            )  # fmt: skip
    for row in left:
        yield _of_the_truth(row, last)


def due_s(lines: Iterable[Line], world_rate: float, speed: float) -> Iterator[tuple[float, Line]]:
    """When each is told, wall seconds after the first. The world's time paces them, so that what was paused is not waited
    for. world_rate: world seconds per wall second as it was played. speed: times as fast as that; 0 for all at once."""
    began: float | None = None
    for line in lines:
        began = line.world_ts if began is None else began
        yield (max(0.0, line.world_ts - began) / (world_rate * speed) if speed else 0.0), line


def _of_the_truth(row: dict[str, Any], seq: int) -> Line:
    return Line(seq=seq, kind=TRUTH, by="", role=None, world_ts=row["world_ts"], wall_ts=None, text=_short(row["text"]))


def _short(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
