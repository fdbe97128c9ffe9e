"""The structured incident report: what a trainee, or the scripted responder, says has happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from sandbox.base import strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.drill.scenario import segments, taxonomy
from sandbox.drill.scenario.harms import METRICS, SEGMENT_EXPOSURE
from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.drill.scenario.truth import lifted

_CODE = "DRILL-003"
AFFECTED_USERS = "affected_users"  # may be sized beside the metrics of harm
SIZED = (*METRICS, SEGMENT_EXPOSURE, AFFECTED_USERS)
MOST_SQL = 4000  # characters of a query
MOST_NAMED = 8  # causes in one report: naming everything is no answer


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
    sql: str = Field(min_length=1, max_length=MOST_SQL)


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


class NamedCause(BaseModel, extra="forbid", frozen=True):
    """One cause as the report names it. component, mechanism: words of sandbox.drill.scenario.taxonomy, a family of
    mechanisms is allowed. started_at: world time. segment: column -> value, empty for everyone."""

    component: str = taxonomy.NONE
    mechanism: str = "chance"
    started_at: Moment | None = None
    segment: dict[str, str | list[str]] = {}

    @model_validator(mode="after")
    def _known(self) -> NamedCause:
        if self.component not in taxonomy.COMPONENTS:
            raise ValueError(f"component: one of {', '.join(taxonomy.COMPONENTS)}")
        if self.mechanism not in taxonomy.MECHANISMS and self.mechanism not in taxonomy.FAMILIES:
            known = (*taxonomy.FAMILIES, *taxonomy.MECHANISMS)
            raise ValueError(f"mechanism: one of {', '.join(known)}")
        segments.require_known(self.segment)
        return self

    @property
    def benign(self) -> bool:
        return taxonomy.family_of(self.mechanism) == "benign"


class RuledOut(BaseModel, extra="forbid", frozen=True):
    """What it was not: a component, a mechanism or a family, and the query that shows so. Without a query
    it is only said."""

    what: Line
    sql: str | None = Field(None, min_length=1, max_length=MOST_SQL)
    claim: str = Field("", max_length=400)

    @property
    def claimed(self) -> str:
        """What its query is held to show."""
        return f"not {self.what}"

    @model_validator(mode="before")
    @classmethod
    def _word_alone(cls, value: Any) -> Any:
        return {"what": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> RuledOut:
        words = {*taxonomy.COMPONENTS, *taxonomy.MECHANISMS, *taxonomy.FAMILIES}
        if self.sql is not None and self.what not in words:
            raise ValueError("what: a component, a mechanism or a family (sandbox drill words)")
        return self


class Report(BaseModel, extra="forbid", frozen=True):
    """incident: whether anything was wrong. Times are world time. causes: what was wrong, the order does
    not matter; the fields of a single one may stand in the report directly. Without an incident it is the
    one thing that explains what was seen. actions: what was done. confidence: 0..1, that `incident` is
    right; None where nothing is said of it. impact: name of SIZED -> how great the harm is."""

    incident: bool
    detected_at: Moment | None = None
    causes: tuple[NamedCause, ...] = Field((NamedCause(),), min_length=1, max_length=MOST_NAMED)
    actions: list[Line] = Field([], max_length=50)
    evidence: list[Statement] = Field([], max_length=20)
    ruled_out: list[RuledOut] = Field([], max_length=20)
    confidence: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    impact: dict[str, Claim] = {}
    notes: str = Field("", max_length=8000)

    @classmethod
    def blaming(
        cls, component: str, mechanism: str, started_at: float | None,
        segment: Mapping[str, str | list[str]] | None = None, **fields: Any,
    ) -> Report:  # fmt: skip
        """A report of an incident with one cause. fields: the other ones."""
        cause = NamedCause(component=component, mechanism=mechanism, started_at=started_at, segment=dict(segment or {}))
        return cls(incident=True, causes=(cause,), **fields)

    @model_validator(mode="before")
    @classmethod
    def _lifted(cls, value: Any) -> Any:
        if isinstance(value, dict) and not value.get("causes", True):  # as the template has it
            value = {name: of for name, of in value.items() if name != "causes"}
        return lifted(value, tuple(NamedCause.model_fields))

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        for name in self.impact:
            if name not in SIZED:
                raise ValueError(f"impact: sizes of {', '.join(SIZED)}")
        for text in self.actions:
            try:
                ActionPattern.parse(text)
            except ValueError as error:
                raise ValueError(f"actions: as `sandbox act` takes them ({error})") from error
        at_work = [c.component != taxonomy.NONE and not c.benign for c in self.causes]
        if not self.incident:
            if any(c.component != taxonomy.NONE or not c.benign for c in self.causes):
                raise ValueError("incident: without one the component is none, the mechanism benign")
            return self
        if not all(at_work):
            raise ValueError("incident: with one there is a component and a mechanism at work")
        started = [c.started_at for c in self.causes]
        if None in started:
            raise ValueError("started_at: a world time, when it began")
        if self.detected_at is not None and self.detected_at < min(filter(None, started), default=0.0):
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
        place, message, seen = _first_error(error, fields)
        origin = document or strict_yaml.Document(fields, {}, "report", _CODE)
        fix = f"correct {strict_yaml.dotted(place)} and hand it in again"
        if document is None:
            where = f"report, {strict_yaml.dotted(place)}"
            raise SandboxError(_CODE, where=where, seen=seen, expected=message, fix=fix) from error
        raise origin.refusal(place, seen=seen, expected=message, fix=fix) from error


def _first_error(error: ValidationError, fields: dict[str, Any]) -> tuple[strict_yaml.Place, str, object]:
    """Where the first thing refused stands, what was expected and what is there. A check on a whole part
    names the field itself; a single cause's fields may stand in the report directly."""
    first = error.errors()[0]
    place: strict_yaml.Place = tuple(first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    if place[:1] == ("causes",) and "causes" not in fields:
        place = place[2:]
    name, colon, rest = message.partition(": ")
    if first["type"] == "value_error" and colon and name.isidentifier():
        if place[-1:] != (name,):
            place = (*place, name)
        message = rest
    seen: Any = fields
    for part in place:
        try:
            seen = seen[part]
        except (KeyError, IndexError, TypeError):
            return (place, message, None if first["type"] in ("value_error", "missing") else first["input"])
    return place, message, seen


def within(report: Report, began_ts: float, now_ts: float) -> Report:
    """The report, its times known to lie in the drill. Raises DRILL-003 for one that does not.

    An hour of grace before the beginning: an incident cannot be older, but a guess may be.
    """
    times = [("detected_at", report.detected_at)]
    times += [("started_at", cause.started_at) for cause in report.causes]
    for name, value in times:
        if value is not None and not began_ts - 3600 <= value <= now_ts + 1:
            raise SandboxError(
                _CODE,
                where=f"report, {name}",
                seen=world_time(value),
                expected=f"a world time from {world_time(began_ts)} to {world_time(now_ts)}",
                fix="world time is what `ts` says in every table",
            )
    return report


def require_paged(paged_ts: float | None) -> None:
    """Raises DRILL-003 before the page: an all-clear then would be right of every day."""
    if paged_ts is None:
        raise SandboxError(
            _CODE,
            where="report",
            seen="a report before the page",
            expected="one that answers the page",
            fix="look around until it comes; `page` shows it",
        )


def world_time(ts: float) -> str:
    """2026-03-01 10:20:00, from world seconds since the epoch."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S")


TEMPLATE = """\
# An incident report. Times are world time. Words for component and mechanism: sandbox drill words
incident: true            # or false: nothing is wrong, and nothing below need be filled in
detected_at: null         # e.g. 2026-03-01 10:25:00
causes: []                # one or several, in any order; each that was not one lowers the rest:
                          # - component: gateway
                          #   mechanism: latency      # a family, or better one of its mechanisms
                          #   started_at: 2026-03-01 10:20:00
                          #   segment: {region: EU}   # column: value, or a list; {} or nothing: everyone
actions: []               # as you gave them to `sandbox act`
evidence: []              # queries that no healthy day answers alike:
                          # - {claim: what it shows, sql: "select ..."}
ruled_out: []             # what it was not, each with a query that would answer otherwise if it were:
                          # - {what: retry-storm, sql: "select ...", claim: what it shows}
confidence: null          # 0 to 1, that `incident` is right
impact: {}                # the harm so far against a healthy day; more is worse, less than 0 is a gain. A number,
                          # or better with bounds that hold in four of five cases: {clicks: {estimate: 120, low: 80, high: 160}}
notes: ""
"""
