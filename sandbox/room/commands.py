"""What can be asked of a room: one model for each kind, every text and number bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError, model_validator

from sandbox.base.errors import SandboxError
from sandbox.drill.play.report import Report
from sandbox.room.roles import Role
from sandbox.room.twists.deeds import AnyDeed

MOST_FIELD_BYTES = 16_384  # of one field of the report, as JSON: twenty queries of evidence fit


def _printable(text: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError("no control characters")
    return text


def _field_value(value: Any) -> Any:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise ValueError("a value that JSON has a word for") from None
    if size > MOST_FIELD_BYTES:
        raise ValueError(f"at most {MOST_FIELD_BYTES} bytes as JSON")
    return value


Name = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_printable)]
Line = Annotated[str, Field(min_length=1, max_length=400)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Sql = Annotated[str, Field(min_length=1, max_length=8000)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]
EventKind = Annotated[str, Field(pattern=r"^[a-z_]{3,30}$")]
WorldTs = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class Part(BaseModel, extra="forbid", frozen=True):
    """Unknown keys are refused."""


class Link(Part):
    """What a message points at: a query (its text), a time (world seconds), a trace (its id), an event (its seq), a
    panel (its path and query, as its call has them)."""

    kind: Literal["query", "time", "trace", "event", "panel"]
    value: Line


class Command(Part):
    """id: chosen by whoever sends it; the same one again does nothing twice and has the same answer."""

    id: str | None = Field(None, min_length=1, max_length=64)


class Leave(Command):
    """Goes. The name and the role are free again."""

    kind: Literal["leave"]


class HandOver(Command):
    """Gives one's own role to another participant and takes theirs. of: whose, None for one's own; the instructor says
    anybody's, and the deputy takes the commander's by it, for a commander may be gone."""

    kind: Literal["hand_over"]
    to: Name
    of: Name | None = None


class Acknowledge(Command):
    """Tells that somebody has read the page."""

    kind: Literal["acknowledge"]


class Chat(Command):
    """A message to all."""

    kind: Literal["chat"]
    text: Text
    links: tuple[Link, ...] = Field((), max_length=10)


class TaskAdd(Command):
    """Something to be done. to: id or name of whoever is to do it."""

    kind: Literal["task_add"]
    text: Line
    to: Name | None = None


class TaskAssign(Command):
    """to: id or name of a participant."""

    kind: Literal["task_assign"]
    task: Number
    to: Name


class TaskDone(Command):
    """Ticks a task off."""

    kind: Literal["task_done"]
    task: Number


class HypothesisAdd(Command):
    """What may be wrong, for all to look into."""

    kind: Literal["hypothesis_add"]
    text: Line


class HypothesisWeigh(Command):
    """evidence: what speaks so. A hypothesis has the verdict that was given last."""

    kind: Literal["hypothesis_support", "hypothesis_refute"]
    hypothesis: Number
    evidence: tuple[Link, ...] = Field((), max_length=10)
    note: str = Field("", max_length=400)


class Ask(Command):
    """One SELECT on the lake; `$began`, `$paged` and `$now` stand for world times. offset: rows of its answer that are passed
    over, to see those that did not fit."""

    kind: Literal["ask"]
    sql: Sql
    offset: int = Field(0, ge=0, lt=10_000)


class Preview(Command):
    """What an action would do. It may then be carried out by its number, by whoever may."""

    kind: Literal["preview"]
    action: Line


class Act(Command):
    """Carries out an action, as it is typed or by the number of its preview."""

    kind: Literal["act"]
    action: Line | None = None
    preview: Number | None = None

    @model_validator(mode="after")
    def _one(self) -> Act:
        if (self.action is None) == (self.preview is None):
            raise ValueError("action: it, or the number of its preview")
        return self


class Revert(Command):
    """Takes a change back. change: its number."""

    kind: Literal["revert"]
    change: Number


class Recommend(Command):
    """What a user would be shown now."""

    kind: Literal["recommend"]
    user: int = Field(ge=0, lt=2**53)
    k: int = Field(10, ge=1, le=100)


class Hint(Command):
    """The next hint. Each costs a part of the whole score, which `state` says beforehand."""

    kind: Literal["hint"]


class ReportField(Command):
    """One field of the report that is filled in together: who wrote last is kept."""

    kind: Literal["report_field"]
    field: str = Field(max_length=40)
    value: Annotated[Any, AfterValidator(_field_value)]

    @model_validator(mode="after")
    def _known(self) -> ReportField:
        if self.field not in Report.model_fields:
            raise ValueError(f"field: one of {', '.join(Report.model_fields)}")
        return self


class FileReport(Command):
    """Hands the report in and ends the drill. report: None for the one that was filled in together."""

    kind: Literal["file_report"]
    report: Annotated[dict[str, Any] | None, AfterValidator(_field_value)] = None


class TimelineEdit(Command):
    """A line of the timeline. entry: one to be changed, None for another one. at_ts: world seconds, None for now."""

    kind: Literal["timeline_edit"]
    text: Line
    entry: Number | None = None
    at_ts: WorldTs | None = None


class End(Command):
    """Ends the drill without a report."""

    kind: Literal["end"]


class Start(Command):
    """Lets the world go on."""

    kind: Literal["start"]


class Pause(Command):
    """Lets the world of a virtual room stand still."""

    kind: Literal["pause"]


class Speed(Command):
    """factor: of the scenario's own rate."""

    kind: Literal["speed"]
    factor: float = Field(ge=0.1, le=10, allow_inf_nan=False)


class Inject(Command):
    """A message into the room, as of somebody outside of it."""

    kind: Literal["inject"]
    sender: Name
    text: Text


class InjectPlan(Command):
    """What comes by itself: wait_s world seconds after the first event of kind `after` (`started`: the drill's beginning;
    null: by hand alone), unless one of kind `unless` has happened since. That is how one presses for what a team fails to
    do. after_like, unless_like: only events whose text is like that (`*` and `?` stand for anything, case does not count):
    an action, a query, a message. A message has sender and text; whatever else it may be stands in `does`."""

    kind: Literal["inject_plan"]
    sender: Name | None = None
    text: Text | None = None
    does: AnyDeed | None = None
    after: EventKind | None = "started"
    after_like: Line | None = None
    wait_s: float = Field(0.0, ge=0, le=1e6, allow_inf_nan=False)
    unless: EventKind | None = None
    unless_like: Line | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> InjectPlan:
        if (self.does is None) == (self.text is None) or (self.sender is None) != (self.text is None):
            raise ValueError("does: it, or a message with sender and text")
        if self.unless_like is not None and self.unless is None:
            raise ValueError("unless_like: of the events that `unless` names")
        if self.after is None and (self.after_like is not None or self.unless is not None):
            raise ValueError("after: null is by hand alone, whatever happens")
        return self


class InjectDrop(Command):
    """Takes a planned message back. inject: its number."""

    kind: Literal["inject_drop"]
    inject: Number


class InjectFire(Command):
    """Does now what is planned, whatever it waits for. inject: its number."""

    kind: Literal["inject_fire"]
    inject: Number


class InjectSet(Command):
    """Plans all injects of a ready-made set. set: its id, of those that the instructor's call `inject-sets` tells."""

    kind: Literal["inject_set"]
    set: str = Field(pattern=r"^[a-z0-9-]{1,60}$")


class Twist(Command):
    """Does something to the room at once: see the deeds."""

    kind: Literal["twist"]
    does: AnyDeed


class StatusUpdate(Command):
    """Tells stakeholders where things stand. ask: the number of the request that it answers, None for all that are open."""

    kind: Literal["status_update"]
    text: Text
    ask: Number | None = None


class GiveHint(Command):
    """A hint that costs nothing."""

    kind: Literal["give_hint"]
    text: Text


class Override(Command):
    """Another score, 0..1, for the whole or for an item of the grade, and why."""

    kind: Literal["override"]
    item: Name = "score"
    score: float = Field(ge=0, le=1, allow_inf_nan=False)
    reason: Line


class Dismiss(Command):
    """Has somebody leave, so that their name and their role are free: for whoever lost their sign-in."""

    kind: Literal["dismiss"]
    participant: Name


class ShowFailures(Command):
    """Has the room's diagram show where failures commonly occur, or not: for training, and not for exams."""

    kind: Literal["show_failures"]
    on: bool


class Note(Command):
    """What the instructor writes down; nobody else reads it."""

    kind: Literal["note"]
    text: Text


class StepTo(Command):
    """In the debrief: all look at the room as it was after that event."""

    kind: Literal["step_to"]
    event: Number


AnyCommand = Annotated[
    Leave | HandOver | Acknowledge | Chat | TaskAdd | TaskAssign | TaskDone | HypothesisAdd | HypothesisWeigh | Ask
    | Preview | Act | Revert | Recommend | Hint | ReportField | FileReport | TimelineEdit | End | Start | Pause | Speed
    | Inject | InjectPlan | InjectDrop | GiveHint | Override | Dismiss | Note
    | InjectFire | InjectSet | Twist | StatusUpdate
    | StepTo
    | ShowFailures,
    Field(discriminator="kind"),
]  # fmt: skip
_COMMANDS: TypeAdapter[Any] = TypeAdapter(AnyCommand)


class Join(Part):
    """Who comes, and as what."""

    name: Name
    role: Role


def parsed(document: Any) -> Any:
    """The command that a document is. Raises ROOM-006 naming the first field that is missing or absurd."""
    return _checked(_COMMANDS, document, "command")


def parsed_join(document: Any) -> Join:
    """As `parsed`."""
    joined: Join = _checked(TypeAdapter(Join), document, "join")
    return joined


def refused(errors: Sequence[Any], what: str) -> SandboxError:
    """ROOM-006 for the first of the errors that a model of this module raised. what: was checked."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"])
    return SandboxError(
        "ROOM-006",
        where=f"{what}{', ' + place if place else ''}"[:200],
        seen=_short(first.get("input")),
        expected=str(first["msg"]).removeprefix("Value error, ")[:400],
        fix="see /api/v1/openapi.json for what each kind takes",
    )


def _checked(adapter: TypeAdapter[Any], document: Any, what: str) -> Any:
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise refused(error.errors(include_url=False), what) from None


def _short(value: Any) -> str:
    """A hostile value must not come back at its full length."""
    told = repr(value)
    return told if len(told) <= 100 else f"{told[:100]}… ({len(told)} characters)"
