"""The instructor's commands of which nobody else hears: what comes of them, by the `Aside` alone. Pure, as `talk`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.room import commands as cm
from sandbox.room import events as ev
from sandbox.room.events import What
from sandbox.room.state import Aside

MOST_PLANS = 200


def _override(aside: Aside, who: str, command: cm.Override, now_ts: float) -> What:
    return ev.Overridden(item=command.item, score=command.score, reason=command.reason)


def _note(aside: Aside, who: str, command: cm.Note, now_ts: float) -> What:
    return ev.Noted(text=command.text)


def _plan(aside: Aside, who: str, command: cm.InjectPlan, now_ts: float) -> What:
    """Raises ROOM-005 for one too many, ROOM-006 for a kind of event that there is not."""
    return planned(aside, command, aside.n_plans + 1)


def planned(aside: Aside, command: cm.InjectPlan, inject: int, more: int = 0) -> ev.InjectPlanned:
    """The plan of that number. more: that are planned in the same moment. Raises as `_plan`."""
    if len(aside.plans) + more >= MOST_PLANS:
        raise SandboxError(
            "ROOM-005", where="planned injects", seen=f"{MOST_PLANS} already", expected=f"at most {MOST_PLANS}",
            fix="take one back: inject_drop",
        )  # fmt: skip
    for name in ("after", "unless"):
        kind = getattr(command, name)
        if kind is not None and kind not in ev.KINDS:
            raise SandboxError(
                "ROOM-006", where=f"inject_plan, {name}", seen=kind, expected=f"one of {', '.join(ev.KINDS)}",
                fix="name a kind of event",
            )  # fmt: skip
    does = None if command.does is None else command.does.model_dump(mode="json")
    return ev.InjectPlanned(
        inject=inject, sender=command.sender or "", text=command.text or "", after=command.after, wait_s=command.wait_s,
        unless=command.unless, does=does, after_like=command.after_like, unless_like=command.unless_like,
    )  # fmt: skip


def _drop(aside: Aside, who: str, command: cm.InjectDrop, now_ts: float) -> What:
    """Raises ROOM-009 for one that there is not, or that has fired."""
    if command.inject not in aside.plans:
        raise SandboxError(
            "ROOM-009", where="inject_drop, inject", seen=command.inject, expected="an inject that is planned still",
            fix="see `plans` in the instructor's state",
        )  # fmt: skip
    return ev.InjectDropped(inject=command.inject)


TALK: dict[str, Callable[[Aside, str, Any, float], What]] = {
    "override": _override,
    "note": _note,
    "inject_plan": _plan,
    "inject_drop": _drop,
}
