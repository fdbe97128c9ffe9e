"""What was really wrong in a drill: a list of causes, each with its place, its time and whom it hit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_validator

from sandbox.drill.scenario import segments, taxonomy
from sandbox.drill.scenario.patterns import ActionPattern

MOST_CAUSES = 4
OF_A_CAUSE = ("component", "mechanism", "onset_s", "segment", "neighbours")


def _pattern(text: str) -> str:
    ActionPattern.parse(text).require_known()
    return text


Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_pattern)]


class Part(BaseModel, extra="forbid", frozen=True):
    """Unknown keys are refused, in every part of a scenario."""


class Cause(Part):
    """One thing that was wrong. component: where the fault acts. onset_s: world seconds since the drill
    began, None for what is no incident. segment: column -> value, empty for everyone. neighbours: components
    that earn part of the credit, beside those of the taxonomy. accept: actions that help against this cause;
    empty: those of the scenario.
    """

    component: str
    mechanism: str
    onset_s: float | None = Field(None, ge=0)
    segment: dict[str, str | list[str]] = {}
    neighbours: tuple[str, ...] = ()
    accept: tuple[Pattern, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Cause:
        for name in (self.component, *self.neighbours):
            if name not in taxonomy.COMPONENTS:
                raise ValueError(f"component: {name!r} is not in the taxonomy")
        if self.mechanism not in taxonomy.MECHANISMS:
            raise ValueError(f"mechanism: {self.mechanism!r} is not in the taxonomy")
        segments.require_known(self.segment)
        return self

    @property
    def benign(self) -> bool:
        """Whether it explains what was seen without anything being wrong."""
        return taxonomy.family_of(self.mechanism) == "benign"


def _directly(schema: dict[str, Any]) -> None:
    """For editors: the fields of a single cause may stand in the truth itself."""
    cause = Cause.model_json_schema()["properties"]
    schema["properties"] |= {name: cause[name] for name in OF_A_CAUSE}
    schema["required"] = ["incident"]


class Truth(Part, json_schema_extra=_directly):
    """What a report is graded against. causes: of a false alarm the one that explains it, with the
    component `none`. The fields of a single cause may stand here directly, without the list."""

    incident: bool
    causes: tuple[Cause, ...] = Field(min_length=1, max_length=MOST_CAUSES)

    @model_validator(mode="before")
    @classmethod
    def _lifted(cls, value: Any) -> Any:
        return lifted(value, OF_A_CAUSE)

    @model_validator(mode="after")
    def _consistent(self) -> Truth:
        for cause in self.causes:
            at_work = (cause.onset_s is not None, cause.component != taxonomy.NONE, not cause.benign)
            if set(at_work) != {self.incident}:
                raise ValueError("incident: an incident has an onset, a component and a mechanism at work")
        if not self.incident and len(self.causes) > 1:
            raise ValueError("causes: one explanation is enough where nothing is wrong")
        return self

    @property
    def onset_s(self) -> float | None:
        """When the first of them began, None where nothing is wrong."""
        return min((c.onset_s for c in self.causes if c.onset_s is not None), default=None)

    @property
    def first(self) -> Cause:
        """The cause that began first; ties go to the one named first."""
        return min(self.causes, key=lambda cause: cause.onset_s or 0.0)


def lifted(value: Any, names: tuple[str, ...]) -> Any:
    """A document in which the fields of one cause stand directly, as one with a list of causes. One that
    has both is refused by the model: the fields are unknown there."""
    if not isinstance(value, Mapping) or "causes" in value:
        return value
    return {
        **{k: v for k, v in value.items() if k not in names},
        "causes": [{k: v for k, v in value.items() if k in names}],
    }
