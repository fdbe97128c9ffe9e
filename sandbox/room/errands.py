"""Commands that need the desk: what is done there, and what the room is told of it.

Each takes (desk, shared, command) and returns what happened. Raises what the desk raises, and ROOM-009 for a preview
that there is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.play import report as reports
from sandbox.drill.play.desk import Desk
from sandbox.drill.scenario.queries import filled
from sandbox.room import commands as cm
from sandbox.room import events as ev
from sandbox.room.events import What
from sandbox.room.state import Shared
from sandbox.telemetry.answers import plain
from sandbox.telemetry.sql import Result

SHOWN_ROWS = 200  # of an answer that go into the room; who wants more aggregates
SHOWN_BYTES = 200_000  # of their text, about
_CELL = 2_000  # characters of one text in them


def asked(command: cm.Ask, times: dict[str, float | None], query: Callable[[str], Result]) -> ev.Asked:
    """What a question came to; it needs no desk. times: as `Drill.times` has them. Raises what `query` raises, and LAKE-004
    for a time that there was not yet."""
    found = query(filled(command.sql, times))
    rows = fitting(found.rows[command.offset :])
    return ev.Asked(
        sql=command.sql, columns=[name[:200] for name in found.columns], rows=rows, n_rows=len(found.rows),
        truncated=found.truncated or len(rows) < len(found.rows), offset=command.offset,
    )  # fmt: skip


def fitting(rows: list[list[Any]]) -> list[list[Any]]:
    """As many of an answer's rows as go into a room, as JSON has them."""
    shown: list[list[Any]] = []
    size = 0
    for row in rows[:SHOWN_ROWS]:
        values = [_short(plain(value)) for value in row]
        size += sum(len(str(value)) for value in values)
        if size > SHOWN_BYTES:
            break
        shown.append(values)
    return shown


def _short(value: Any) -> Any:
    if isinstance(value, str | list | dict) and len(told := str(value)) > _CELL:
        return f"{told[:_CELL]}…"
    return value


def _preview(desk: Desk, shared: Shared, command: cm.Preview) -> What:
    typed = desk.preview(command.action)
    of = typed.preview
    return ev.Previewed(
        preview=len(shared.previews) + 1, action=typed.text, summary=of.summary, touches=list(of.touches),
        users_share=of.users_share, reversible=of.reversible, warning=of.warning,
    )  # fmt: skip


def _act(desk: Desk, shared: Shared, command: cm.Act) -> What:
    action = command.action
    if command.preview is not None:
        action = shared.previews.get(command.preview)
    if action is None:
        raise SandboxError(
            "ROOM-009", where="act, preview", seen=command.preview, expected="the number of a preview in the room",
            fix="see `previews` in the room's state",
        )  # fmt: skip
    return _carried_out(desk, action)


def _revert(desk: Desk, shared: Shared, command: cm.Revert) -> What:
    return _carried_out(desk, f"revert change={command.change}")


def _carried_out(desk: Desk, action: str) -> What:
    done = desk.act(action)
    return ev.Acted(change=done.n, action=action, target=done.target, key=done.key, old=done.old, new=done.new)


def _recommend(desk: Desk, shared: Shared, command: cm.Recommend) -> What:
    slate = desk.recommend(command.user, command.k)
    rows = [[plain(value) for value in row] for row in slate.rows]
    return ev.Recommended(
        user=command.user, request_id=slate.request_id, columns=slate.columns, rows=rows, note=slate.note
    )


def _hint(desk: Desk, shared: Shared, command: cm.Hint) -> What:
    return ev.HintTaken(text=desk.hint())


def _file_report(desk: Desk, shared: Shared, command: cm.FileReport) -> What:
    """What was filled in together, where no report comes with the command."""
    fields = command.report
    if fields is None:
        fields = {name: draft.value for name, draft in shared.draft.items()}
    written = reports.checked(fields)
    reports.within(written, desk.began_ts, desk.now())
    reports.require_paged(desk.paged())
    desk.file(written)
    return ev.ReportFiled(report=written.model_dump(mode="json"))


def _end(desk: Desk, shared: Shared, command: cm.End) -> What:
    desk.abandon()
    return ev.Ended(why="it was given up")


ERRANDS: dict[str, Callable[[Desk, Shared, Any], What]] = {
    "preview": _preview,
    "act": _act,
    "revert": _revert,
    "recommend": _recommend,
    "hint": _hint,
    "file_report": _file_report,
    "end": _end,
}
