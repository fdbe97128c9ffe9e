"""The structured incident report: what a trainee, or the scripted responder, says has happened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from sandbox.base.errors import SandboxError
from sandbox.drill import strict_yaml, taxonomy
from sandbox.drill.harm import METRICS
from sandbox.drill.patterns import ActionPattern

_CODE = "DRILL-003"
AFFECTED_USERS = "affected_users"  # may be sized beside the metrics of harm
SIZED = (*METRICS, AFFECTED_USERS)


def _moment(value: object) -> object:
    """World seconds since the epoch, from an ISO time (UTC unless it says otherwise) or a number."""
    if isinstance(value, str):
        try:
            when = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("a time like 2026-03-01 10:20:00, world time") from None
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool):
        raise ValueError("a time like 2026-03-01 10:20:00, world time")
    return value


Moment = Annotated[float, BeforeValidator(_moment), Field(ge=0, allow_inf_nan=False)]
Line = Annotated[str, Field(min_length=1, max_length=400)]
Size = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


class Statement(BaseModel, extra="forbid", frozen=True):
    """A query and what it shows."""

    claim: Line
    sql: str = Field(min_length=1, max_length=4000)


class Claim(BaseModel, extra="forbid", frozen=True):
    """How great a harm is said to be, since onset and until now, in the unit of its metric; more is worse.

    low, high: an interval that it lies in with 80 %; a number alone claims to be exact.
    """

    estimate: Size
    low: Size
    high: Size

    @model_validator(mode="before")
    @classmethod
    def _number_alone(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"estimate": value, "low": value, "high": value}
        if isinstance(value, dict) and "estimate" in value:
            return {"low": value["estimate"], "high": value["estimate"], **value}
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Claim:
        if not self.low <= self.estimate <= self.high:
            raise ValueError("low <= estimate <= high")
        return self


class Report(BaseModel, extra="forbid", frozen=True):
    """incident: whether anything was wrong. Times are world time. component, mechanism: words of
    sandbox.drill.taxonomy, a family of mechanisms is allowed. segment: column -> value, empty for
    everyone. actions: what was done. confidence: 0..1, that `incident` is right. impact: name of SIZED ->
    how great the harm is."""

    incident: bool
    detected_at: Moment | None = None
    started_at: Moment | None = None
    component: str = taxonomy.NONE
    mechanism: str = "chance"
    segment: dict[str, str | list[str]] = {}
    actions: list[Line] = Field([], max_length=50)
    evidence: list[Statement] = Field([], max_length=20)
    ruled_out: list[Line] = Field([], max_length=20)
    confidence: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)
    impact: dict[str, Claim] = {}
    notes: str = Field("", max_length=8000)

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        if self.component not in taxonomy.COMPONENTS:
            raise ValueError(f"component: one of {', '.join(taxonomy.COMPONENTS)}")
        if self.mechanism not in taxonomy.MECHANISMS and self.mechanism not in taxonomy.FAMILIES:
            known = (*taxonomy.FAMILIES, *taxonomy.MECHANISMS)
            raise ValueError(f"mechanism: one of {', '.join(known)}")
        for column in self.segment:
            if column not in taxonomy.SEGMENT_COLUMNS:
                raise ValueError(f"segment: columns of {', '.join(taxonomy.SEGMENT_COLUMNS)}")
        for name in self.impact:
            if name not in SIZED:
                raise ValueError(f"impact: sizes of {', '.join(SIZED)}")
        for text in self.actions:
            try:
                ActionPattern.parse(text)
            except ValueError as error:
                raise ValueError(f"actions: as `sandbox act` takes them ({error})") from error
        benign = taxonomy.family_of(self.mechanism) == "benign"
        if not self.incident:
            if self.component != taxonomy.NONE or not benign:
                raise ValueError(
                    "incident: without one the component is none, the mechanism benign"
                )
            return self
        if self.component == taxonomy.NONE or benign:
            raise ValueError("incident: with one there is a component and a mechanism at work")
        if self.started_at is None:
            raise ValueError("started_at: a world time, when it began")
        if self.detected_at is not None and self.detected_at < self.started_at:
            raise ValueError("detected_at: not before started_at")
        return self


def load(path: Path) -> Report:
    """The report in a YAML file. Raises DRILL-003 naming field and line, CFG-002 without a file."""
    document = strict_yaml.read(path, _CODE)
    if not isinstance(document.value, dict):
        raise document.refusal((), seen=type(document.value).__name__, expected="a mapping",
                               fix="print an empty one: sandbox drill report --template")  # fmt: skip
    return checked(document.value, document)


def checked(fields: dict[str, Any], document: strict_yaml.Document | None = None) -> Report:
    """Raises DRILL-003 naming the first field that is missing or absurd."""
    try:
        return Report.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        message = str(first["msg"]).removeprefix("Value error, ")
        place: strict_yaml.Place = tuple(first["loc"])
        if not place:
            name, _, message = message.partition(": ")
            place = (name,)
        origin = document or strict_yaml.Document(fields, {}, "report", _CODE)
        seen = first["input"] if first["loc"] else fields.get(str(place[0]))
        fix = f"correct {strict_yaml.dotted(place)} and hand it in again"
        if document is None:
            where = f"report, {strict_yaml.dotted(place)}"
            raise SandboxError(_CODE, where=where, seen=seen, expected=message, fix=fix) from error
        raise origin.refusal(place, seen=seen, expected=message, fix=fix) from error


def within(report: Report, began_ts: float, now_ts: float) -> Report:
    """The report, its times known to lie in the drill. Raises DRILL-003 for one that does not.

    An hour of grace before the beginning: an incident cannot be older, but a guess may be.
    """
    for name in ("started_at", "detected_at"):
        value = getattr(report, name)
        if value is not None and not began_ts - 3600 <= value <= now_ts + 1:
            raise SandboxError(
                _CODE, where=f"report, {name}", seen=world_time(value),
                expected=f"a world time from {world_time(began_ts)} to {world_time(now_ts)}",
                fix="world time is what `ts` says in every table",
            )  # fmt: skip
    return report


def require_paged(paged_ts: float | None) -> None:
    """Raises DRILL-003 before the page: an all-clear then would be right of every day."""
    if paged_ts is None:
        raise SandboxError(
            _CODE, where="report", seen="a report before the page", expected="one that answers the page",
            fix="look around until it comes; `page` shows it",
        )  # fmt: skip


def world_time(ts: float) -> str:
    """2026-03-01 10:20:00, from world seconds since the epoch."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S")


TEMPLATE = """\
# An incident report. Times are world time. Words for component and mechanism: sandbox drill words
incident: true            # or false: nothing is wrong, then leave component and mechanism out
detected_at: null         # e.g. 2026-03-01 10:25:00
started_at: null
component: gateway
mechanism: latency        # a family, or better one of its mechanisms
segment: {}               # column: value; {} means everyone
actions: []               # as you gave them to `sandbox act`
evidence:
  - claim: what it shows
    sql: select 1
ruled_out: []
confidence: 0.5           # 0 to 1, that `incident` is right
impact: {}                # the harm so far against a healthy day; more is worse. A number, or better with
                          # bounds that hold in four of five cases: {clicks: {estimate: 120, low: 80, high: 160}}
notes: ""
"""
