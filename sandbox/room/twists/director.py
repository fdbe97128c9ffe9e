"""Has deeds done in a room: at once, when an inject is due, and what a crash left half told. On the desk's own thread.

A deed at the desk has a name, is done once under it, and then told by events that carry it; which of them are told already
is known by the name. So a server that is killed anywhere in between does nothing twice and leaves nothing out. A deed
that changes nothing in the world is one event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.play.by_hand import Done
from sandbox.drill.play.desk import Desk
from sandbox.drill.play.rollout import OPERATOR, actions_of
from sandbox.room import events as ev
from sandbox.room import injects
from sandbox.room.events import What
from sandbox.room.injects import Plan
from sandbox.room.rights import Phase
from sandbox.room.state import Aside, Shared
from sandbox.room.twists import deeds
from sandbox.room.twists.fold import Armed, presses_due
from sandbox.runtime.operate.operations import Record

LATE_S = 600.0  # world seconds after which what changes the world is not done unasked: the team is elsewhere by then
AT_DESK = ("arm", "disarm", "revert")  # what deeds do; of a herring, its entry in the change log


@dataclass(frozen=True)
class Stage:
    """A room as its director has it. tell: appends an event of the instructor's, and returns its number; the second is
    the id of the command that it answers."""

    desk: Desk
    shared: Shared
    aside: Aside
    lock: AbstractContextManager[Any]  # under which the state changes
    tell: Callable[[What, str | None], int]

    def now(self) -> float:
        return self.desk.now()


def go_on(at: Stage) -> None:
    """Does what is due by now: injects, ends of faults, stakeholders who press."""
    aside, now_ts = at.aside, at.now()
    with at.lock:
        plans = [
            (plan, now_ts - (injects.due_ts(plan, aside.times) or now_ts))
            for plan in injects.due(aside.plans.values(), aside.times, now_ts)
            if plan.inject not in aside.twists.waiting
        ]
        on = list(aside.twists.armed.values())
    for plan, late_s in plans:
        _when_due(at, plan, late_s)
    for armed in on:
        if (why := _ended(at, armed)) is not None and not _stands(at):
            _tell_all(at, _off(at, f"{armed.name}-off", armed, why))
    with at.lock:
        pressing = presses_due(aside.twists.requests, now_ts)
    for request in pressing:
        due_ts = request.due_ts + request.within_s
        at.tell(ev.StatusPressed(ask=request.ask, sender=request.sender, text=request.press, due_ts=due_ts), None)


def order(at: Stage, command: Any) -> int:
    """The instructor's own: done at once. Returns the number of the first event that tells of it. Raises ROOM-003 while
    the world can't be changed, ROOM-009 for what there is not, and what the desk raises."""
    if command.kind == "twist":
        return _do(at, command.does, "h", None, command.id)
    plan = at.aside.plans.get(command.inject)
    if plan is None:
        raise SandboxError(
            "ROOM-009", where="inject_fire, inject", seen=command.inject, expected="an inject that is planned still",
            fix="see `plans` in the instructor's state",
        )  # fmt: skip
    return _do(at, deeds.deed_of(plan.deed), f"i{plan.inject}-", plan.inject, command.id)


def catch_up(at: Stage) -> None:
    """Tells what was done at the desk and never told, and does what a killed server had only begun."""
    done = Done(at.desk.drill.entries())
    for name, deed in done.deeds.items():
        if name in done.refused:
            continue
        told = {kind for kind, other in at.aside.twists.told if other == name}
        expected = {"arm": "fault_armed", "disarm": "fault_disarmed", "revert": "colleague_reverted",
                    "note": "herring_planted"}  # fmt: skip
        if expected[deed["do"]] in told:
            if deed.get("text") and "injected" not in told:
                again = _events(deed, done.outcomes.get(name, {}))
                _tell_all(at, [what for what in again if isinstance(what, ev.Injected)])
            continue
        try:
            outcome = at.desk.by_hand(deed)
        except SandboxError:
            continue  # it is the drill's that it is over, or the stack's that it is down
        _tell_all(at, _events(deed, outcome), deed.get("command"))


ORDERS = {"twist": order, "inject_fire": order}


def _when_due(at: Stage, plan: Plan, late_s: float) -> None:
    does = deeds.deed_of(plan.deed)
    if _at_desk(does) and late_s > LATE_S:
        at.tell(ev.InjectWaits(inject=plan.inject, why=f"it is {late_s / 60:.0f} world minutes late"), None)
        return
    try:
        _do(at, does, f"i{plan.inject}-", plan.inject, None)
    except SandboxError as error:
        why = f"{error.kind.code} {error.where}: {error.seen}, where there should be {error.expected}"
        at.tell(ev.InjectWaits(inject=plan.inject, why=why[:600]), None)


def _do(at: Stage, does: Any, prefix: str, inject: int | None, command: str | None) -> int:
    if not _at_desk(does):
        return at.tell(_spoken(at, does, inject), command)
    if _stands(at):
        raise SandboxError(
            "ROOM-003", where=f"twist, {does.do}", seen="a drill whose time is up", expected="a world that goes on",
            fix="send a message, or end the drill",
        )  # fmt: skip
    deed = _for_desk(at, does, _fresh(at, prefix)) | {"inject": inject, "command": command}
    return _tell_all(at, _events(deed, at.desk.by_hand(deed)), command)


def _stands(at: Stage) -> bool:
    """Whether the world goes on no more."""
    return at.shared.phase is Phase.time_up and at.desk.stands_still


def _at_desk(does: Any) -> bool:
    return does.do in AT_DESK or (does.do == "herring" and does.change is not None)


def _fresh(at: Stage, prefix: str) -> str:
    """A name under which nothing was asked of the desk before."""
    return f"{prefix}{1 + sum(name.startswith(prefix) for name in Done(at.desk.drill.entries()).deeds)}"


def _spoken(at: Stage, does: Any, inject: int | None) -> What:
    if does.do == "ask_status":
        return ev.StatusAsked(
            ask=at.aside.twists.n_asks + 1, sender=does.sender, text=does.text, due_ts=at.now() + does.within_s,
            within_s=does.within_s, presses=does.presses, press=does.press, inject=inject,
        )  # fmt: skip
    return ev.Injected(sender=does.sender, text=does.text, inject=inject, herring=does.do == "herring")


def _for_desk(at: Stage, does: Any, name: str) -> dict[str, Any]:
    """As `by_hand.carry_out` takes it, with what the events will tell."""
    if does.do == "arm":
        spec = does.model_dump(mode="json", exclude={"do"})
        ends_ts = None if does.for_s is None else at.now() + does.for_s
        return {"name": name, "do": "arm", "step": does.step.model_dump(mode="json"), "spec": spec, "ends_ts": ends_ts}
    if does.do == "disarm":
        armed = _armed(at, does.of)
        return {"name": name, "do": "disarm", "of": armed.name, "change": armed.change, "why": "by hand",
                "service": armed.target.partition("->")[0]}  # fmt: skip
    if does.do == "revert":
        change = _teams(at.desk.operations().records(), does.change)
        return {"name": name, "do": "revert", "change": change, "actor": does.colleague, "text": does.text}
    noted = does.change.model_dump()
    return {"name": name, "do": "note", "actor": does.sender, **noted, "text": does.text or ""}


def _off(at: Stage, name: str, armed: Armed, why: str) -> list[What]:
    """Takes one off that has ended. One that can't be is off for the room all the same, and says why."""
    service = armed.target.partition("->")[0]
    deed = {"name": name, "do": "disarm", "of": armed.name, "service": service, "change": armed.change, "why": why}
    try:
        outcome = at.desk.by_hand(deed)
    except SandboxError as error:
        deed["why"], outcome = f"{why}; {error.kind.code} {error.seen}", {}
    return _events(deed, outcome)


def _ended(at: Stage, armed: Armed) -> str | None:
    """Why it is to be taken off, None where it is not."""
    if armed.ends_ts is not None and armed.ends_ts <= at.now():
        return "its time was over"
    if armed.change is not None:
        taken_back = (r for r in at.desk.operations().records() if r.op == "revert")
        if any(r.arguments.get("change") == str(armed.change) for r in taken_back):
            return "its release was taken back"
    if armed.ends_on:
        done = (a for a in actions_of(at.desk.operations(), armed.began_ts) if a.is_one_of(armed.ends_on))
        return next((action.text for action in done), None)
    return None


def _armed(at: Stage, of: str) -> Armed:
    there = at.aside.twists.armed
    found = there.get(of) or next((a for a in reversed(list(there.values())) if a.fault == of), None)
    if found is None:
        raise SandboxError(
            "ROOM-009", where="disarm, of", seen=of, expected=f"one of {[*there]}" if there else "a fault that is on by hand",
            fix="see `armed` in the instructor's state",
        )  # fmt: skip
    return found


def _teams(records: list[Record], change: int | None) -> int:
    """The number of a change of the team's that is in force and can be reverted."""
    undone = {r.arguments.get("change") for r in records if r.op == "revert"}
    there = [r.n for r in records if r.actor == OPERATOR and r.before and str(r.n) not in undone]
    if not there or (change is not None and change not in there):
        raise SandboxError(
            "ROOM-009", where="revert, change", seen="the last" if change is None else change,
            expected=f"a change of the team's that is in force: {there or 'there is none'}", fix="see `actions` in the room's state",
        )  # fmt: skip
    return there[-1] if change is None else change


def _events(deed: dict[str, Any], outcome: dict[str, Any]) -> list[What]:
    """What is told of a deed that is done, in order."""
    name, inject, change = str(deed["name"]), deed.get("inject"), outcome.get("change")
    if deed["do"] == "arm":
        spec = deed["spec"]
        return [ev.FaultArmed(
            name=name, fault=spec["fault"], target=spec["target"], spec=spec, change=change, ends_ts=deed["ends_ts"],
            ends_on=tuple(spec["ends_on"]), inject=inject,
        )]  # fmt: skip
    if deed["do"] == "disarm":
        return [ev.FaultDisarmed(name=name, of=deed["of"], why=deed["why"], inject=inject)]
    actor, text = str(deed["actor"]), str(deed.get("text") or "")
    herring = deed["do"] == "note"
    if herring:
        says = f"{deed['target']} {deed['key']}: {deed['old']} -> {deed['new']}"
        told: What = ev.HerringPlanted(name=name, colleague=actor, change=int(change or 0), says=says, inject=inject)
    else:
        told = ev.ColleagueReverted(
            name=name, colleague=actor, change=int(deed["change"]), by_change=int(change or 0), inject=inject
        )
    message = ev.Injected(sender=actor, text=text, inject=inject, name=name, herring=herring)
    return [told, message] if text else [told]


def _tell_all(at: Stage, whats: Sequence[What], command: str | None = None) -> int:
    """Returns the number of the first."""
    first = 0
    for n, what in enumerate(whats):
        seq = at.tell(what, command if n == 0 else None)
        first = first or seq
    return first
