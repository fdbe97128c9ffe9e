"""Who may do what, when: one function over two tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sandbox.base.errors import SandboxError
from sandbox.room.roles import Role


class Phase(StrEnum):
    """waiting: the world stands still until it is started. time_up: the scenario is over, a report may still be handed in.
    over: it was handed in or given up. debrief: the truth is out."""

    waiting = "waiting"
    running = "running"
    paused = "paused"
    time_up = "time_up"
    over = "over"
    debrief = "debrief"


_TALK = frozenset({
    "leave", "hand_over", "acknowledge", "chat", "task_add", "task_assign", "task_done", "hypothesis_add",
    "hypothesis_support", "hypothesis_refute", "report_field",
})  # fmt: skip
_LOOK = frozenset({"ask", "recommend", "preview"})
_CHANGE = frozenset({"act", "revert"})
_LEAD = frozenset({"hint", "file_report"})
_RUN = frozenset(
    {
        "start",
        "pause",
        "speed",
        "inject",
        "give_hint",
        "override",
        "note",
        "end",
        "dismiss",
        "inject_plan",
        "inject_drop",
        "show_failures",
    }
)

_DEBRIEF = frozenset({"step_to"})

MAY: dict[Role, frozenset[str]] = {
    Role.commander: _TALK | _LOOK | _CHANGE | _LEAD | {"timeline_edit", "end"} | _DEBRIEF,
    Role.deputy: _TALK | _LOOK | _CHANGE | _LEAD | {"timeline_edit"},
    Role.operations: _TALK | _LOOK | _CHANGE,
    Role.ml_engineer: _TALK | _LOOK,
    Role.data_analyst: _TALK | _LOOK,
    Role.communications: _TALK | {"ask"},
    Role.scribe: _TALK | {"ask", "timeline_edit"},
    Role.observer: frozenset({"leave"}),
    Role.instructor: _RUN | {"chat", "ask", "timeline_edit", "hand_over"} | _DEBRIEF,
}
_ALWAYS = frozenset({"leave", "hand_over", "chat", "inject", "note", "dismiss", "inject_plan", "inject_drop"}) | {
    "show_failures"
}
_BOARD = _TALK - {"acknowledge"} | {"timeline_edit", "give_hint"}
_DRILL = _BOARD | {"acknowledge", "ask", "preview", "hint", "file_report", "end", "speed"}
IN: dict[Phase, frozenset[str]] = {
    Phase.waiting: _ALWAYS | _BOARD | {"start", "speed", "end"},
    Phase.running: _ALWAYS | _DRILL | _CHANGE | {"recommend", "pause"},
    Phase.paused: _ALWAYS | _DRILL | {"start"},
    Phase.time_up: _ALWAYS | _BOARD | {"acknowledge", "ask", "file_report", "end"},
    Phase.over: _ALWAYS | {"timeline_edit", "ask"},
    Phase.debrief: _ALWAYS | {"timeline_edit", "ask", "override"} | _DEBRIEF,
}
KINDS = tuple(sorted(frozenset().union(*MAY.values())))

# Twists: what the instructor does to a room, and what a team answers to those who ask.
for _role in (Role.commander, Role.deputy, Role.communications):
    MAY[_role] |= {"status_update"}
MAY[Role.instructor] |= {"twist", "inject_fire", "inject_set"}
for _phase in (Phase.waiting, Phase.running, Phase.paused, Phase.time_up):
    IN[_phase] |= {"twist", "inject_fire", "inject_set"}
for _phase in (Phase.running, Phase.paused, Phase.time_up):
    IN[_phase] |= {"status_update"}
KINDS = tuple(sorted(frozenset().union(*MAY.values())))


@dataclass(frozen=True)
class Refusal:
    """Why somebody may not. code: ROOM-002 for the role, ROOM-003 for the time."""

    code: str
    seen: str
    expected: str
    fix: str

    def error(self, where: str) -> SandboxError:
        return SandboxError(self.code, where=where, seen=self.seen, expected=self.expected, fix=self.fix)


def authorise(role: Role, kind: str, phase: Phase) -> Refusal | None:
    """None where that role may give that command now."""
    if kind not in MAY[role]:
        able = ", ".join(r for r in Role if kind in MAY[r])
        return Refusal(
            "ROOM-002", f"{kind} by {role}", f"{kind} by {able}", "ask one of them, or have the role handed over"
        )
    if kind not in IN[phase]:
        when = ", ".join(p for p in Phase if kind in IN[p])
        return Refusal(
            "ROOM-003", f"{kind} while the room is {phase}", f"{kind} while it is {when}", "see the room's state"
        )
    return None


def rights(role: Role, phase: Phase) -> list[str]:
    """All that a role may do now, in order."""
    return [kind for kind in KINDS if authorise(role, kind, phase) is None]


def table() -> Iterator[str]:
    """The whole of it as lines of Markdown: who may what, and in which phases."""
    yield f"| command | {' | '.join(Role)} | while the room is |"
    yield f"|---|{'---|' * (len(Role) + 1)}"
    for kind in KINDS:
        marks = " | ".join("x" if kind in MAY[role] else "" for role in Role)
        yield f"| `{kind}` | {marks} | {', '.join(p for p in Phase if kind in IN[p])} |"
