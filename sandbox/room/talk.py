"""Commands that need no desk: what comes of them, by the state alone. Pure.

Each takes (shared, who gives it, command, world seconds) and returns what happened. Raises ROOM-009 for what
there is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.room import commands as cm
from sandbox.room import events as ev
from sandbox.room.events import INSTRUCTOR, What
from sandbox.room.roles import ALONE, JOINABLE, Role
from sandbox.room.state import Person, Shared

MOST_PARTICIPANTS = 200
MOST_BOARD = 500  # tasks, hypotheses, previews or lines of the timeline, each


def joined(shared: Shared, join: cm.Join) -> ev.Joined:
    """Raises ROOM-005 for a room that is full, ROOM-006 for a role that nobody joins as, ROOM-007 for a name, or a role
    for one person, that somebody has."""
    here = shared.here()
    if len(shared.people) >= MOST_PARTICIPANTS:
        raise _too_many("participants", MOST_PARTICIPANTS)
    if join.role not in JOINABLE:
        raise SandboxError(
            "ROOM-006", where="join, role", seen=join.role.value, expected=f"one of {', '.join(JOINABLE)}",
            fix="the instructor has calls of their own: /api/v1/instructor",
        )  # fmt: skip
    if shared.named(join.name) is not None:
        raise _taken(
            "name", join.name, "a name that nobody in the room has", "choose another; or use the token you have"
        )
    holder = next((p for p in here if p.role is join.role), None) if join.role in ALONE else None
    if holder is not None:
        raise _taken("role", join.role.value, f"a role that is free: {holder.name} has it", "have it handed over")
    return ev.Joined(participant=f"p{len(shared.people) + 1}", name=join.name, role=join.role)


def _leave(shared: Shared, who: str, command: cm.Leave, now_ts: float) -> What:
    return ev.Left(participant=who)


def _hand_over(shared: Shared, who: str, command: cm.HandOver, now_ts: float) -> What:
    taker = _person(shared, command.to)
    giver = _person(shared, who if command.of is None else command.of)
    steps_in = giver.role is Role.commander and taker.participant == who and taker.role is Role.deputy
    if giver.participant != who and who != INSTRUCTOR and not steps_in:
        raise SandboxError(
            "ROOM-002", where="hand_over, of", seen=f"the role of {giver.name}", expected="one's own",
            fix="ask them, or the instructor; a deputy may take the commander's",
        )  # fmt: skip
    if taker is giver or Role.observer in (taker.role, giver.role):
        raise SandboxError(
            "ROOM-009", where="hand_over, to", seen=command.to, expected="another member of the team",
            fix="see `participants` in the room's state",
        )  # fmt: skip
    return ev.HandedOver(giver=giver.participant, taker=taker.participant)


def _acknowledge(shared: Shared, who: str, command: cm.Acknowledge, now_ts: float) -> What:
    if shared.page is None:
        raise _not_now("acknowledge", "no page yet", "a page", "wait for it")
    return ev.Acknowledged()


def _chat(shared: Shared, who: str, command: cm.Chat, now_ts: float) -> What:
    return ev.Chatted(text=command.text, links=command.links)


def _task_add(shared: Shared, who: str, command: cm.TaskAdd, now_ts: float) -> What:
    to = None if command.to is None else _person(shared, command.to).participant
    return ev.TaskAdded(task=_next(shared.tasks, "tasks"), text=command.text, to=to)


def _task_assign(shared: Shared, who: str, command: cm.TaskAssign, now_ts: float) -> What:
    _there(shared.tasks, command.task, "task")
    return ev.TaskAssigned(task=command.task, to=_person(shared, command.to).participant)


def _task_done(shared: Shared, who: str, command: cm.TaskDone, now_ts: float) -> What:
    _there(shared.tasks, command.task, "task")
    return ev.TaskFinished(task=command.task)


def _hypothesis_add(shared: Shared, who: str, command: cm.HypothesisAdd, now_ts: float) -> What:
    return ev.HypothesisAdded(hypothesis=_next(shared.hypotheses, "hypotheses"), text=command.text)


def _weigh(shared: Shared, who: str, command: cm.HypothesisWeigh, now_ts: float) -> What:
    _there(shared.hypotheses, command.hypothesis, "hypothesis")
    return ev.HypothesisWeighed(
        hypothesis=command.hypothesis, evidence=command.evidence, note=command.note,
        verdict="supported" if command.kind == "hypothesis_support" else "refuted",
    )  # fmt: skip


def _report_field(shared: Shared, who: str, command: cm.ReportField, now_ts: float) -> What:
    return ev.FieldReported(field=command.field, value=command.value)


def _timeline_edit(shared: Shared, who: str, command: cm.TimelineEdit, now_ts: float) -> What:
    entry, at_ts = command.entry, command.at_ts
    if entry is None:
        entry = _next(shared.timeline, "lines of the timeline")
    else:
        _there(shared.timeline, entry, "entry")
        at_ts = shared.timeline[entry]["at_ts"] if at_ts is None else at_ts
    return ev.TimelineEdited(entry=entry, at_ts=now_ts if at_ts is None else at_ts, text=command.text)


def _start(shared: Shared, who: str, command: cm.Start, now_ts: float) -> What:
    return ev.Started()


def _pause(shared: Shared, who: str, command: cm.Pause, now_ts: float) -> What:
    require_paced(shared, "pause")
    return ev.Paused()


def _speed(shared: Shared, who: str, command: cm.Speed, now_ts: float) -> What:
    require_paced(shared, "speed")
    return ev.SpeedSet(factor=command.factor)


def _inject(shared: Shared, who: str, command: cm.Inject, now_ts: float) -> What:
    return ev.Injected(sender=command.sender, text=command.text)


def _give_hint(shared: Shared, who: str, command: cm.GiveHint, now_ts: float) -> What:
    return ev.HintGiven(text=command.text)


def _dismiss(shared: Shared, who: str, command: cm.Dismiss, now_ts: float) -> What:
    return ev.Left(participant=_person(shared, command.participant).participant)


def _status_update(shared: Shared, who: str, command: cm.StatusUpdate, now_ts: float) -> What:
    """One that nobody asked for is one all the same."""
    if command.ask is not None:
        _there(shared.requests, command.ask, "ask")
    asks = tuple(shared.requests) if command.ask is None else (command.ask,)
    return ev.StatusUpdated(text=command.text, asks=asks)


def _step_to(shared: Shared, who: str, command: cm.StepTo, now_ts: float) -> What:
    if command.event > shared.seq:
        raise SandboxError(
            "ROOM-009", where="step_to, event", seen=command.event, expected=f"1 to {shared.seq}", fix="see the replay"
        )
    return ev.SteppedTo(event=command.event)


def _show_failures(shared: Shared, who: str, command: cm.ShowFailures, now_ts: float) -> What:
    return ev.FailuresShown(on=command.on)


def require_paced(shared: Shared, what: str) -> None:
    """Raises ROOM-003 in a live room."""
    if shared.opened is not None and shared.opened.backend == "live":
        raise _not_now(
            what, "a live room", "a virtual one",
            "real processes and users have no pause and one speed: open the room with --backend virtual",
        )  # fmt: skip


def _person(shared: Shared, told: str) -> Person:
    """By id or by name."""
    person = shared.people.get(told) or shared.named(told)
    if person is None or not person.here:
        raise _no_such("participant", told)
    return person


def _there(of: dict[int, Any], number: int, what: str) -> None:
    if number not in of:
        raise _no_such(what, number)


def _next(of: dict[int, Any], what: str) -> int:
    if len(of) >= MOST_BOARD:
        raise _too_many(what, MOST_BOARD)
    return len(of) + 1


def _no_such(what: str, seen: object) -> SandboxError:
    return SandboxError(
        "ROOM-009", where=what, seen=seen, expected=f"a {what} that is in the room", fix="see the room's state"
    )


def _too_many(what: str, most: int) -> SandboxError:
    return SandboxError(
        "ROOM-005", where=what, seen=f"{most} already", expected=f"at most {most}", fix="do with those that there are"
    )


def _taken(what: str, seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("ROOM-007", where=f"join, {what}", seen=seen, expected=expected, fix=fix)


def _not_now(where: str, seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("ROOM-003", where=where, seen=seen, expected=expected, fix=fix)


TALK: dict[str, Callable[[Shared, str, Any, float], What]] = {
    "leave": _leave,
    "hand_over": _hand_over,
    "acknowledge": _acknowledge,
    "chat": _chat,
    "task_add": _task_add,
    "task_assign": _task_assign,
    "task_done": _task_done,
    "hypothesis_add": _hypothesis_add,
    "hypothesis_support": _weigh,
    "hypothesis_refute": _weigh,
    "report_field": _report_field,
    "timeline_edit": _timeline_edit,
    "start": _start,
    "pause": _pause,
    "speed": _speed,
    "inject": _inject,
    "give_hint": _give_hint,
    "dismiss": _dismiss,
    "status_update": _status_update,
    "step_to": _step_to,
    "show_failures": _show_failures,
}
