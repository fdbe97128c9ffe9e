"""The documents that audiences are given: a model for each, so that what is not in it cannot be told.

Times: `…_ts` world seconds since the epoch, `world_time` and `ts` the same for people, `wall_ts` seconds since the epoch by
the clock of the machine.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from sandbox.room.commands import Link
from sandbox.room.roles import Role


class Told(BaseModel, extra="forbid", frozen=True):
    """Unknown keys are a mistake of whoever makes the document."""


class RoomNow(Told):
    """phase: waiting, running, paused, time_up, over or debrief. ended: why it did, empty before. left_s: world seconds.
    world_rate: world seconds per wall second while it runs. failures_shown: whether the diagram shows where failures commonly
    occur."""

    title: str
    briefing: str
    backend: str
    phase: str
    ended: str
    world_time: str
    world_ts: float
    began_ts: float
    left_s: float
    world_rate: float
    failures_shown: bool


class Participant(Told):
    """looks_at: the panel that they opened last, and what in it; empty where none."""

    participant: str
    name: str
    role: Role
    looks_at: str = ""


class Me(Participant):
    """rights: kinds of commands that one may give now."""

    rights: list[str]


class Page(Told):
    """acknowledged_by: a name, None while nobody has."""

    ts: str
    text: str
    acknowledged_by: str | None


class Message(Told):
    """kind: chatted, injected or hint_given. sender: a name."""

    seq: int
    kind: str
    sender: str
    world_ts: float
    wall_ts: float
    text: str
    links: list[Link]


class TaskNow(Told):
    """to, by: names."""

    task: int
    text: str
    to: str | None
    by: str
    done: bool


class Weighed(Told):
    seq: int
    by: str
    verdict: str
    note: str
    evidence: list[Link]


class HypothesisNow(Told):
    """verdict: open, supported or refuted."""

    hypothesis: int
    text: str
    by: str
    verdict: str
    weighed: list[Weighed]


class Query(Told):
    """seq: of the event that has the answer."""

    seq: int
    by: str
    world_ts: float
    sql: str
    n_rows: int


class PreviewNow(Told):
    preview: int
    action: str


class Action(Told):
    """change: its number, by which it is reverted."""

    seq: int
    by: str
    world_ts: float
    change: int
    action: str
    target: str
    key: str
    old: str
    new: str


class Line(Told):
    entry: int
    at_ts: float
    text: str
    by: str


class Grade(Told):
    """document: the grade, as `sandbox drill report --json` has it. truth: as the instructor had it all along."""

    score: float
    document: dict[str, Any]
    truth: dict[str, Any]


class FieldNow(Told):
    """A field of the report as somebody left it last. by: a name."""

    value: Any
    by: str
    seq: int


class RequestNow(Told):
    """Somebody outside waits for a status update. due_ts: until when. pressed: how often they asked again."""

    ask: int
    sender: str
    text: str
    due_ts: float
    pressed: int


class Board(Told):
    """What everybody in a room sees. seq: of the last event. shown: the event to which the debrief was stepped."""

    seq: int
    room: RoomNow
    participants: list[Participant]
    page: Page | None
    messages: list[Message]
    tasks: list[TaskNow]
    hypotheses: list[HypothesisNow]
    queries: list[Query]
    previews: list[PreviewNow]
    actions: list[Action]
    timeline: list[Line]
    grade: Grade | None
    requests: list[RequestNow]
    shown: int | None = None


class ObserverState(Board):
    me: Me
    hints_taken: int


class TraineeState(Board):
    """hint_price: of the whole score, for the next hint. report: the fields that were filled in so far."""

    me: Me
    hints: list[str]
    hint_price: float
    report: dict[str, FieldNow]


class NoteNow(Told):
    seq: int
    wall_ts: float
    world_ts: float
    text: str


class OverrideNow(Told):
    score: float
    reason: str
    seq: int


class PlanNow(Told):
    """An inject that is planned: see the command `inject_plan`. due_ts: None where nothing has set it going, or what it
    would press for was done. waits: why it does, where it was due: it is fired or dropped by hand."""

    inject: int
    sender: str
    text: str
    after: str | None
    wait_s: float
    unless: str | None
    due_ts: float | None
    does: dict[str, Any] | None
    after_like: str | None
    unless_like: str | None
    waits: str


class ArmedNow(Told):
    """A fault that is on by hand. name: by which it is taken off. change: of its release in the change log. ends_ts: when
    it ends by itself."""

    name: str
    fault: str
    target: str
    spec: dict[str, Any]
    began_ts: float
    change: int | None
    ends_ts: float | None
    ends_on: list[str]


class InstructorState(Board):
    """last_seq_by: participant -> the last thing that they did. truth: the scenario's answer, and what was done of it."""

    hints: list[str]
    report: dict[str, FieldNow]
    rights: list[str]
    last_seq_by: dict[str, int]
    notes: list[NoteNow]
    overrides: dict[str, OverrideNow]
    plans: list[PlanNow]
    armed: list[ArmedNow]
    truth: dict[str, Any]


class Moment(Board):
    """The room as it was after the event `seq`. truth: of what was really wrong, with what had been done of it by then;
    empty where it may not be known."""

    hints: list[str]
    report: dict[str, FieldNow]
    truth: dict[str, Any]
