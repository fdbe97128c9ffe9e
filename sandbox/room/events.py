"""What happens in a room: one model for each kind, and the event that says who, as what, and when.

Kinds are for ever: journals of before are read again. Those in `INSTRUCTORS` reach nobody else.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, Field

from sandbox.room.commands import Link
from sandbox.room.roles import Role

ROOM = "room"  # who: what nobody did, but the room itself
INSTRUCTOR = "instructor"
SERVER = "the server"  # sender of what it tells a room of itself
MOST_ABOUT = 80  # characters of what somebody looks at


class What(BaseModel, extra="ignore", frozen=True):
    """Keys that are not known are of a later version. asides: keys that reach the instructor alone."""

    asides: ClassVar[frozenset[str]] = frozenset()


class Opened(What):
    """Times are world seconds since the epoch. world_rate: world seconds per wall second. held: the
    world waits for the instructor to start it, and not only for the first to join."""

    kind: Literal["opened"] = "opened"
    title: str
    briefing: str
    backend: str
    began_ts: float
    length_s: float
    world_rate: float
    held: bool


class Joined(What):
    kind: Literal["joined"] = "joined"
    participant: str
    name: str
    role: Role


class Left(What):
    kind: Literal["left"] = "left"
    participant: str


class HandedOver(What):
    """Two participants change roles."""

    kind: Literal["handed_over"] = "handed_over"
    giver: str
    taker: str


class Started(What):
    kind: Literal["started"] = "started"


class Paused(What):
    kind: Literal["paused"] = "paused"


class SpeedSet(What):
    kind: Literal["speed_set"] = "speed_set"
    factor: float


class PageCame(What):
    kind: Literal["page_came"] = "page_came"
    text: str


class Acknowledged(What):
    kind: Literal["acknowledged"] = "acknowledged"


class Chatted(What):
    kind: Literal["chatted"] = "chatted"
    text: str
    links: tuple[Link, ...] = ()


class TaskAdded(What):
    kind: Literal["task_added"] = "task_added"
    task: int
    text: str
    to: str | None = None


class TaskAssigned(What):
    kind: Literal["task_assigned"] = "task_assigned"
    task: int
    to: str


class TaskFinished(What):
    kind: Literal["task_finished"] = "task_finished"
    task: int


class HypothesisAdded(What):
    kind: Literal["hypothesis_added"] = "hypothesis_added"
    hypothesis: int
    text: str


class HypothesisWeighed(What):
    kind: Literal["hypothesis_weighed"] = "hypothesis_weighed"
    hypothesis: int
    verdict: Literal["supported", "refuted"]
    evidence: tuple[Link, ...] = ()
    note: str = ""


class Asked(What):
    """rows: by position, in the order of `columns`, which are free text of whoever asked. offset: of the first of them in the whole answer.
    n_rows: of that. truncated: there are others, or were more than the console gives."""

    kind: Literal["asked"] = "asked"
    sql: str
    columns: list[str]
    rows: list[list[Any]]
    n_rows: int
    truncated: bool = False
    offset: int = 0


class Previewed(What):
    kind: Literal["previewed"] = "previewed"
    preview: int
    action: str
    summary: str
    touches: list[str]
    users_share: float
    reversible: bool
    warning: str = ""


class Acted(What):
    """change: its number, by which it is reverted."""

    kind: Literal["acted"] = "acted"
    change: int
    action: str
    target: str
    key: str
    old: str
    new: str


class Recommended(What):
    kind: Literal["recommended"] = "recommended"
    user: int
    request_id: str
    columns: list[str]
    rows: list[list[Any]]
    note: str = ""


class Looked(What):
    """Somebody has opened a panel of the stack. about: what in it, empty where that is all of it. Told where it differs from
    what they looked at before, and not too often."""

    kind: Literal["looked"] = "looked"
    panel: str
    about: str = ""


class HintTaken(What):
    kind: Literal["hint_taken"] = "hint_taken"
    text: str


class FieldReported(What):
    kind: Literal["field_reported"] = "field_reported"
    field: str
    value: Any


class ReportFiled(What):
    kind: Literal["report_filed"] = "report_filed"
    report: dict[str, Any]


class TimelineEdited(What):
    kind: Literal["timeline_edited"] = "timeline_edited"
    entry: int
    at_ts: float
    text: str


class TimeUp(What):
    kind: Literal["time_up"] = "time_up"


class Ended(What):
    """Without a report. why: given up, or that its stack failed."""

    kind: Literal["ended"] = "ended"
    why: str


class Graded(What):
    """The debrief: from here on the truth is nobody's secret. document: the grade, as `sandbox drill report --json` has it.
    truth: the scenario's answer, and what was done of it."""

    kind: Literal["graded"] = "graded"
    score: float
    document: dict[str, Any]
    truth: dict[str, Any] = {}


class Injected(What):
    """inject: the number of the plan that it comes of, None for one on hand. name: of the deed at the desk that it tells
    of. herring: whether it leads astray."""

    asides: ClassVar[frozenset[str]] = frozenset({"inject", "name", "herring"})
    kind: Literal["injected"] = "injected"
    sender: str
    text: str
    inject: int | None = None
    name: str | None = None
    herring: bool = False


class InjectPlanned(What):
    """does: as the command has it, None for a message. after: None for one that is fired by hand."""

    kind: Literal["inject_planned"] = "inject_planned"
    inject: int
    sender: str
    text: str
    after: str | None
    wait_s: float
    unless: str | None = None
    does: dict[str, Any] | None = None
    after_like: str | None = None
    unless_like: str | None = None


class InjectDropped(What):
    kind: Literal["inject_dropped"] = "inject_dropped"
    inject: int


class HintGiven(What):
    kind: Literal["hint_given"] = "hint_given"
    text: str


class Overridden(What):
    kind: Literal["overridden"] = "overridden"
    item: str
    score: float
    reason: str


class Noted(What):
    kind: Literal["noted"] = "noted"
    text: str


class InjectsPlanned(What):
    """A ready-made set. set: its id."""

    kind: Literal["injects_planned"] = "injects_planned"
    set: str
    plans: tuple[InjectPlanned, ...]


class InjectWaits(What):
    """It was due and was not done: it is late, or it could not be. It stays planned, and is fired or dropped by hand."""

    kind: Literal["inject_waits"] = "inject_waits"
    inject: int
    why: str


class FaultArmed(What):
    """By hand. name: under which it was done. spec: as the deed has it. change: of its release in the change log. ends_ts:
    world seconds since the epoch at which it ends by itself."""

    kind: Literal["fault_armed"] = "fault_armed"
    name: str
    fault: str
    target: str
    spec: dict[str, Any]
    change: int | None = None
    ends_ts: float | None = None
    ends_on: tuple[str, ...] = ()
    inject: int | None = None


class FaultDisarmed(What):
    """of: the name under which it was armed. why: by hand, its time was over, or the action that ended it."""

    kind: Literal["fault_disarmed"] = "fault_disarmed"
    name: str
    of: str
    why: str
    inject: int | None = None


class ColleagueReverted(What):
    """change: what was reverted. by_change: the number of the revert in the change log."""

    kind: Literal["colleague_reverted"] = "colleague_reverted"
    name: str
    colleague: str
    change: int
    by_change: int
    inject: int | None = None


class HerringPlanted(What):
    """An entry of the change log that leads astray. change: its number there."""

    kind: Literal["herring_planted"] = "herring_planted"
    name: str
    colleague: str
    change: int
    says: str
    inject: int | None = None


class StatusAsked(What):
    """Somebody outside asks where things stand, and wants to know by due_ts."""

    asides: ClassVar[frozenset[str]] = frozenset({"inject", "within_s", "presses", "press"})
    kind: Literal["status_asked"] = "status_asked"
    ask: int
    sender: str
    text: str
    due_ts: float
    within_s: float = 0.0
    presses: int = 0
    press: str = ""
    inject: int | None = None


class StatusPressed(What):
    """They ask again."""

    kind: Literal["status_pressed"] = "status_pressed"
    ask: int
    sender: str
    text: str
    due_ts: float


class StatusUpdated(What):
    """asks: numbers of the requests that it answers."""

    kind: Literal["status_updated"] = "status_updated"
    text: str
    asks: tuple[int, ...] = ()


class SteppedTo(What):
    """In the debrief: all look at the room as it was after that event."""

    kind: Literal["stepped_to"] = "stepped_to"
    event: int


class FailuresShown(What):
    """Whether the diagram shows where failures commonly occur."""

    kind: Literal["failures_shown"] = "failures_shown"
    on: bool


AnyWhat = Annotated[
    Opened | Joined | Left | HandedOver | Started | Paused | SpeedSet | PageCame | Acknowledged | Chatted | TaskAdded
    | TaskAssigned | TaskFinished | HypothesisAdded | HypothesisWeighed | Asked | Previewed | Acted | Recommended
    | HintTaken | FieldReported | ReportFiled | TimelineEdited | TimeUp | Ended | Graded | Injected | HintGiven
    | Overridden | Noted | InjectPlanned | InjectDropped
    | InjectsPlanned | InjectWaits | FaultArmed | FaultDisarmed | ColleagueReverted | HerringPlanted
    | StatusAsked | StatusPressed | StatusUpdated
    | SteppedTo
    | Looked
    | FailuresShown,
    Field(discriminator="kind"),
]  # fmt: skip
INSTRUCTORS = frozenset({
    "overridden", "noted", "inject_planned", "inject_dropped", "injects_planned", "inject_waits", "fault_armed",
    "fault_disarmed", "colleague_reverted", "herring_planted",
})  # fmt: skip  # kinds that reach the instructor alone


KINDS = tuple(str(model.model_fields["kind"].default) for model in get_args(get_args(AnyWhat)[0]))


class Event(BaseModel, frozen=True):
    """seq: from 1, without gaps. who: id of a participant, `instructor` or `room`. wall_ts: seconds since the epoch by the
    clock of the machine. world_ts: the same of the world. command: what its sender called the command that it answers."""

    seq: int = Field(ge=1)
    who: str
    role: Role | None
    wall_ts: float
    world_ts: float
    what: AnyWhat
    command: str | None = None

    @property
    def kind(self) -> str:
        return self.what.kind

    @property
    def instructors_alone(self) -> bool:
        return self.kind in INSTRUCTORS
