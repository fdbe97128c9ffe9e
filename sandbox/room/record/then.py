"""What a stack looked like at a moment of a recording, from the lake that was kept: as it was written by then, and no later."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.queries import filled
from sandbox.room.errands import fitting
from sandbox.room.events import Asked, Event, PageCame
from sandbox.room.overview import Overview, stack_at
from sandbox.room.record.lakes import Lakes
from sandbox.room.record.recordings import Recording
from sandbox.telemetry.sql import SqlWorker


class Answer(BaseModel):
    """Of a query. asked_again: it was kept nowhere, and is the lake's as that stood then."""

    sql: str
    columns: list[str]
    rows: list[list[Any]]
    n_rows: int
    truncated: bool
    asked_again: bool


class Then(BaseModel):
    """stack: None where that is not known, and why. answer: of the event, where that is a question and the answer known.
    seq: of the event."""

    seq: int
    stack: Overview | None
    answer: Answer | None
    why: str


def then(found: Recording, seq: int, lakes: Lakes) -> Then:
    """The stack after that event of a recording, and what the event was answered where it is a question; the same for all who
    may look back."""
    event = found.event(seq)
    asked = event.what if isinstance(event.what, Asked) else None
    kept = (
        None
        if asked is None or not asked.columns
        else Answer(**asked.model_dump(exclude={"kind", "offset"}), asked_again=False)
    )
    if found.lake is None or not found.lake.is_dir():
        return Then(seq=event.seq, stack=None, answer=kept, why="its telemetry is gone")
    try:
        with lakes.asked(found.lake, event.world_ts) as lake:
            stack = stack_at(lake, event.world_ts)
            answer = kept if kept is not None or asked is None else _again(lake, found, event, asked)
    except SandboxError as error:
        return Then(seq=event.seq, stack=None, answer=kept, why=f"{error.kind.code} {error.seen}"[:400])
    return Then(seq=event.seq, stack=stack, answer=answer, why="")


def _again(lake: SqlWorker, found: Recording, event: Event, asked: Asked) -> Answer:
    paged = next((e.world_ts for e in found.events if isinstance(e.what, PageCame) and e.seq <= event.seq), None)
    times = {"began": found.opened.began_ts, "paged": paged, "now": event.world_ts}
    told = lake.query(filled(asked.sql, times))
    rows = fitting(told.rows)
    return Answer(
        sql=asked.sql, columns=[name[:200] for name in told.columns], rows=rows, n_rows=len(told.rows),
        truncated=told.truncated or len(rows) < len(told.rows), asked_again=True,
    )  # fmt: skip
