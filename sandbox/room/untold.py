"""What a drill has and the journal of its room lacks: done at the desk just before a crash, and never told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.drill.play.journal import Entry
from sandbox.drill.play.rollout import OPERATOR
from sandbox.drill.play.standing import filed_report
from sandbox.room import events as ev
from sandbox.room.events import What
from sandbox.room.rights import Phase
from sandbox.room.state import Shared
from sandbox.runtime.operate.operations import Record


def untold(shared: Shared, entries: list[Entry], records: Sequence[Record], over: bool) -> Iterator[What]:
    """entries: of the drill's journal. records: the operations on its stack. over: whether the drill is."""
    known = {action["change"] for action in shared.actions}
    for record in records:
        if record.actor == OPERATOR and record.n not in known:
            yield ev.Acted(
                change=record.n, action=" ".join((record.op, *(f"{k}={v}" for k, v in record.arguments.items()))),
                target=record.target, key=record.key, old=record.old, new=record.new,
            )  # fmt: skip
    hints = [str(entry.fields["text"]) for entry in entries if entry.what == "hint"]
    yield from (ev.HintTaken(text=text) for text in hints[len(shared.hints) :])
    if over and shared.phase not in (Phase.over, Phase.debrief):
        report = filed_report(entries)
        if report is not None:
            yield ev.ReportFiled(report=report.model_dump(mode="json"))
        else:
            yield ev.Ended(why="the drill ended without a report")
