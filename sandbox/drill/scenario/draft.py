"""A scenario file as far as it can be read: what one part gets wrong must not hide what another does. Pure."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.strict_yaml import Document, Place, dotted
from sandbox.drill.scenario.finding import Finding, Severity, guess, listed, near, shown
from sandbox.drill.scenario.scenario import Evidence, Pager, Scenario, Step, configured


@dataclass
class Draft:
    """A document and the parts of it that are what they should be.

    schema: what the schema refuses; told_of: the part that each of these is about, where it names one.
    scenario: the whole, None where the schema refuses it. steps, queries: with their places; those of which
    no field is readable are left out. parts: the other fields by name.
    """

    document: Document
    raw: dict[str, Any]
    scenario: Scenario | None = None
    schema: list[Finding] = field(default_factory=list)
    told_of: dict[Finding, Place] = field(default_factory=dict)
    steps: list[tuple[int, Step]] = field(default_factory=list)
    queries: list[tuple[Place, Evidence]] = field(default_factory=list)
    parts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document) -> Draft:
        """Everything that can be read of it, and what the schema refuses."""
        raw = document.value if isinstance(document.value, dict) else {}
        draft = cls(document, raw)
        try:
            draft.scenario = Scenario.model_validate(document.value)
        except ValidationError as error:
            for told in error.errors():
                if told["type"] == "too_short" and _in_file(draft, told["loc"]) == ("truth",):
                    continue  # of the one cause that stands there directly, all is told already
                found = _of_schema(draft, told)
                draft.schema.append(found)
                draft.told_of[found] = _in_file(draft, told["loc"])
        for name, info in Scenario.model_fields.items():
            if name in ("timeline", "evidence", "claims"):
                draft._take_list(name, info)
            elif name in raw or not info.is_required():
                draft._take(name, info)
        return draft

    def finding(self, severity: Severity, code: str, place: Place, seen: object, expected: str, fix: str) -> Finding:
        """A finding about that place. The line is its own, or that of the nearest key around it."""
        return Finding(severity, code, dotted(place), self.document.line_of(place), shown(seen), expected, fix)

    def error(self, code: str, place: Place, seen: object, expected: str, fix: str) -> Finding:
        return self.finding("error", code, place, seen, expected, fix)

    def warning(self, code: str, place: Place, seen: object, expected: str, fix: str) -> Finding:
        return self.finding("warning", code, place, seen, expected, fix)

    def raw_at(self, place: Place) -> Any:
        """What stands at a place of the file, None where nothing does."""
        value: Any = self.raw
        for part in place:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def raw_list(self, *place: str | int) -> list[Any]:
        value = self.raw_at(place)
        return value if isinstance(value, list) else []

    @property
    def pager(self) -> Pager | None:
        found = self.parts.get("pager")
        return found if isinstance(found, Pager) else None

    @property
    def length_s(self) -> float | None:
        """World seconds that the trainee has, None where it cannot be told."""
        minutes, rate = self.parts.get("minutes"), self.parts.get("world_rate")
        return None if minutes is None or rate is None else float(minutes * 60 * rate)

    @property
    def incident(self) -> bool | None:
        """Whether the file says that something is wrong, None where it does not say."""
        value = self.raw_at(("truth", "incident"))
        return value if isinstance(value, bool) else None

    def causes(self) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Each cause that the truth names, as it stands there: one is written flat, several as a list."""
        truth = self.raw_at(("truth",))
        if not isinstance(truth, dict):
            return
        several = truth.get("causes")
        if isinstance(several, list):
            yield from ((("truth", "causes", n), c) for n, c in enumerate(several) if isinstance(c, dict))
        elif several is None:
            yield ("truth",), truth

    def accepted(self) -> Iterator[tuple[Place, list[Any]]]:
        """The lists of accepted actions, the scenario's and those of its causes."""
        if self.raw_list("accept"):
            yield ("accept",), self.raw_list("accept")
        for place, cause in self.causes():
            if isinstance(cause.get("accept"), list) and cause["accept"]:
                yield (*place, "accept"), cause["accept"]

    @property
    def config(self) -> Config:
        """The documents in force when the drill begins, the usual ones where they cannot be read."""
        settings, replicas = self.parts.get("settings") or {}, self.parts.get("replicas") or {}
        try:
            return configured(Config(), settings, "settings").with_replicas(replicas)
        except (ValueError, SandboxError):  # the schema says so
            return Config()

    def onsets(self) -> list[float]:
        return [float(c["onset_s"]) for _, c in self.causes() if _is_number(c.get("onset_s"))]

    def _take(self, name: str, info: FieldInfo) -> None:
        try:
            self.parts[name] = (
                _read(info, self.raw[name]) if name in self.raw else info.get_default(call_default_factory=True)
            )
        except ValidationError:
            self.parts[name] = None

    def _take_list(self, name: str, info: FieldInfo) -> None:
        kind = _model_in(info.annotation)
        for n, value in enumerate(self.raw_list(name)):
            part = None if kind is None else _as_far_as_it_goes(kind, value)
            if isinstance(part, Step):
                self.steps.append((n, part))
            elif part is not None:
                self.queries.append(((name, n), part))  # type: ignore[arg-type]  # a claim is one too


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read(info: FieldInfo, value: Any) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[info.annotation, info])  # type: ignore[arg-type]
    return adapter.validate_python(value)


def _as_far_as_it_goes(kind: type[BaseModel], value: Any) -> BaseModel | None:
    """The part; unchecked as a whole where only its fields are right one by one; else None."""
    try:
        return kind.model_validate(value)
    except ValidationError:
        if not isinstance(value, dict):
            return None
    fields = {}
    for name, info in kind.model_fields.items():
        if name not in value:
            continue
        try:
            fields[name] = _read(info, value[name])
        except ValidationError:
            inner = _model_in(info.annotation)
            part = None if inner is None else _as_far_as_it_goes(inner, value[name])
            if part is None:
                return None
            fields[name] = part
    if any(info.is_required() and name not in fields for name, info in kind.model_fields.items()):
        return None
    return kind.model_construct(**fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds: itself, one or None, or several of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (tuple, list, typing.Union, types.UnionType, Annotated):
        found = (_model_in(a) for a in typing.get_args(annotation))
        return next((m for m in found if m is not None), None)
    return None


def _keys_at(place: Place) -> list[str]:
    """The keys that may stand in the mapping at that place."""
    model: type[BaseModel] | None = Scenario
    for part in place:
        if model is None:
            return []
        if isinstance(part, str):
            info = model.model_fields.get(part)
            model = None if info is None else _model_in(info.annotation)
    return [] if model is None else list(model.model_fields)


def _of_schema(draft: Draft, error: Any) -> Finding:
    """What pydantic says, with the place in the file."""
    place = _in_file(draft, error["loc"])
    kind, message = error["type"], str(error["msg"]).removeprefix("Value error, ")
    if kind == "missing":
        keys = draft.raw_at(place[:-1])
        there = list(keys) if isinstance(keys, dict) else []
        fix = "add it; docs/scenarios.md shows every key"
        if isinstance(place[-1], int):
            return draft.error("missing-key", place[:-1], f"{place[-1]} of them", f"{place[-1] + 1} or more", fix)
        meant = [key for key in near(place[-1], there) if key not in _keys_at(place[:-1])]
        fix = f"did you mean {place[-1]} by {meant[0]}?" if meant else fix
        return draft.error("missing-key", place, "nothing", f"a key {place[-1]!r}", fix)
    if kind == "extra_forbidden":
        keys_there = _keys_at(place[:-1])
        return draft.error(
            "unknown-key",
            place,
            place[-1],
            listed(keys_there, 20),
            guess(place[-1], keys_there, "take it out; docs/scenarios.md shows every key"),
        )
    place, message = split(draft.document, place, message)
    seen = draft.raw_at(place)
    fix = "change that line; docs/scenarios.md shows every key"
    if kind == "literal_error":
        names = [w.strip("' ") for w in str(error["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        fix = guess(seen, names, fix)
    return draft.error("bad-value", place, error.get("input") if seen is None else seen, message, fix)


def _in_file(draft: Draft, loc: Any) -> Place:
    """A place of the model as the file has it: the fields of a single cause stand in the truth itself."""
    place: Place = tuple(loc)
    flat = place[:2] == ("truth", "causes") and draft.raw_at(("truth", "causes")) is None
    return ("truth", *place[3:]) if flat else place


def split(document: Document, place: Place, message: str) -> tuple[Place, str]:
    """Where in the document, and what was expected. A check on a whole part names the key itself,
    a fault its knob: `fault: fault, params.delay_ms: expectation`."""
    key, colon, rest = message.partition(": ")
    inner = place + tuple(int(p) if p.isdigit() else p for p in key.split("."))
    if not colon or not _stands(document, inner):
        return place, message
    where, _, expected = rest.partition(": ")
    if expected and where.startswith("fault"):
        knob = inner + tuple(where.rpartition(", ")[2].split("."))
        return (knob if knob in document.lines else inner), expected
    return inner, rest


def _stands(document: Document, place: Place) -> bool:
    return place in document.lines
