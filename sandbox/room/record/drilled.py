"""A drill that was answered in a terminal, as the events of a room with one in it: so it is told like one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sandbox.drill.play.journal import Entry, first
from sandbox.drill.play.notebook import Look
from sandbox.drill.scenario.scenario import Scenario
from sandbox.room import events as ev
from sandbox.room.events import ROOM, Event, What
from sandbox.room.roles import Role

TRAINEE = "trainee"
_Told = tuple[float, float, str, What]


def events_of(
    scenario: Scenario, backend: str, entries: Sequence[Entry], looks: Iterable[Look], grade: dict[str, Any] | None,
    truth: dict[str, Any],
) -> list[Event]:  # fmt: skip
    """entries: of the drill's journal. looks: those without a time are left out, for nobody knows when they were. grade: of a
    drill that has one; truth comes with it. Empty for a drill that never began. Answers to queries are kept nowhere, so
    they have no rows; of an action only its text is known."""
    began = first(list(entries), "phase", name="baseline")
    if began is None:
        return []
    opened = ev.Opened(
        title=scenario.title, briefing=scenario.briefing, backend=backend, began_ts=began.world_ts,
        length_s=scenario.length_s, world_rate=scenario.world_rate, held=False,
    )  # fmt: skip
    start: list[_Told] = [
        (began.world_ts, began.wall_ts, ROOM, opened),
        (began.world_ts, began.wall_ts, ROOM, ev.Joined(participant=TRAINEE, name=TRAINEE, role=Role.commander)),
        (began.world_ts, began.wall_ts, ROOM, ev.Started()),
    ]
    told = sorted([*_done(entries), *_looked(looks)], key=lambda row: row[0])
    end = max([row[0] for row in [*start, *told]])
    if grade is not None:
        graded = ev.Graded(score=float(grade.get("score") or 0.0), document=grade, truth=truth)
        told.append((end, told[-1][1] if told else began.wall_ts, ROOM, graded))
    return [
        Event(
            seq=n,
            who=who,
            role=Role.commander if who == TRAINEE else None,
            wall_ts=wall_ts,
            world_ts=world_ts,
            what=what,
        )
        for n, (world_ts, wall_ts, who, what) in enumerate([*start, *told], 1)
    ]


def _done(entries: Iterable[Entry]) -> Iterator[_Told]:
    changes = 0
    for entry in entries:
        what: What | None = None
        match entry.what:
            case "page":
                what = ev.PageCame(text=str(entry.fields["text"]))
            case "action":
                changes += 1
                what = ev.Acted(change=changes, action=str(entry.fields["text"]), target="", key="", old="", new="")
            case "hint":
                what = ev.HintTaken(text=str(entry.fields["text"]))
            case "report":
                what = ev.ReportFiled(report=entry.fields["report"])
            case "abandoned":
                what = ev.Ended(why="it was given up")
        if what is not None:
            yield entry.world_ts, entry.wall_ts, ROOM if entry.what == "page" else TRAINEE, what


def _looked(looks: Iterable[Look]) -> Iterator[_Told]:
    for look in looks:
        if look.world_ts is not None:
            asked = ev.Asked(sql=look.text, columns=[], rows=[], n_rows=0)
            yield look.world_ts, look.wall_ts or 0.0, TRAINEE, asked
