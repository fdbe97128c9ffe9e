"""What an inject does, or an instructor does at once: one model for each, checked as a scenario's steps are."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError, model_validator

from faults.arming import params_of
from faults.catalogue import CATALOGUE
from sandbox.drill.play.rollout import OPERATOR
from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.drill.scenario.scenario import MADE, Step
from services.skeleton.points import POINTS

_MOST_BYTES = 8_192  # of a mapping, as JSON
LONGEST_S = 1e6  # world seconds


def _small(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise ValueError("a mapping that JSON has a word for") from None
    if size > _MOST_BYTES:
        raise ValueError(f"at most {_MOST_BYTES} bytes as JSON")
    return value


Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]+$")]
Line = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Small = Annotated[dict[str, Any], AfterValidator(_small)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S, allow_inf_nan=False)]


_ACTORS = {OPERATOR, "engine", "instructor", "release-bot", "room"}


def _of_nobody_here(name: str) -> str:
    """A change under such a name would count as the team's own, or as the drill's."""
    if name.strip().casefold() in _ACTORS:
        raise ValueError(f"another name than {', '.join(sorted(_ACTORS))}")
    return name


Colleague = Annotated[Name, AfterValidator(_of_nobody_here)]


class Deed(BaseModel, extra="forbid", frozen=True):
    """Unknown keys are refused."""


class Say(Deed):
    """A message into the room, as of somebody outside of it."""

    do: Literal["say"]
    sender: Name
    text: Text


class Noted(Deed):
    """An entry of the change log that changed nothing."""

    target: Line
    key: Line
    old: Line = "-"
    new: Line
    note: str = Field("", max_length=400)


class Herring(Deed):
    """What leads astray: a message, an entry of the change log, or both. The debrief tells that it was one."""

    do: Literal["herring"]
    sender: Colleague
    text: Text | None = None
    change: Noted | None = None

    @model_validator(mode="after")
    def _something(self) -> Herring:
        if self.text is None and self.change is None:
            raise ValueError("text or change: one of them, or both")
        return self


class AskStatus(Deed):
    """A stakeholder asks for a status update, and asks again, `presses` times, each within_s world seconds after the last,
    for as long as none comes. press: what they then write."""

    do: Literal["ask_status"]
    sender: Name
    text: Text
    within_s: Seconds = 600.0
    presses: int = Field(2, ge=0, le=10)
    press: Text = "You have not answered. Where do we stand?"


class Arm(Deed):
    """Any fault of the catalogue, with its knobs, as a step of a scenario has it. release: for a fault that spoils one.
    for_s: it ends by itself after so many world seconds. ends_on: actions that end it, besides taking back its release."""

    do: Literal["arm"]
    fault: Name
    target: Line
    params: Small = {}
    scope: Small = {}
    share: float = Field(1.0, gt=0, le=1)
    onset: Small = {}
    release: Small | None = None
    for_s: Seconds | None = None
    ends_on: tuple[Line, ...] = Field((), max_length=8)

    @property
    def step(self) -> Step:
        """Raises ValidationError."""
        return Step.model_validate({
            "at_s": 0.0, "target": self.target, "fault": {"name": self.fault, "params": self.params},
            "scope": self.scope, "share": self.share, "onset": self.onset, "release": self.release,
            "until_s": self.for_s, "ends_on": self.ends_on,
        })  # fmt: skip

    @model_validator(mode="after")
    def _can_be(self) -> Arm:
        if self.fault not in CATALOGUE:
            near = get_close_matches(self.fault, CATALOGUE, 3)
            raise ValueError(f"fault: one of `sandbox fault list`{', such as ' * bool(near)}{' or '.join(near)}")
        kind = CATALOGUE[self.fault]
        if POINTS[kind.seam].made_by:
            raise ValueError(f"fault: {self.fault} spoils what is trained or built long before; a scenario brings it")
        if any((self.release or {}).get(key) for key in MADE):
            raise ValueError(
                "release: nothing that has to be trained or built for it, which takes minutes; a scenario brings it"
            )
        try:
            step = self.step
            if why := kind.idle(params_of(step.spec(0)), step.release.patches if step.release else {}):
                raise ValueError(f"params: {why}")
            for text in self.ends_on:
                ActionPattern.parse(text).require_known()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            said = str(first["msg"]).removeprefix("Value error, ")
            raise ValueError(f"{place}: {said}" if place else said) from None
        return self


class Disarm(Deed):
    """Takes a fault off that was put on by hand. of: the name that it has in the room's state, or the fault's own, for the
    one that was put on last."""

    do: Literal["disarm"]
    of: Name


class Revert(Deed):
    """A colleague takes back a change of the team's. change: its number, None for the last that is in force. text: what
    they say of it in the room, empty for nothing; the change log has their name in any case."""

    do: Literal["revert"]
    colleague: Colleague
    change: int | None = Field(None, ge=1, le=1_000_000)
    text: str = Field("", max_length=2000)


AnyDeed = Annotated[Say | Herring | AskStatus | Arm | Disarm | Revert, Field(discriminator="do")]
_DEEDS: TypeAdapter[Any] = TypeAdapter(AnyDeed)


def deed_of(document: Any) -> Any:
    """From JSON. Raises ValidationError."""
    return _DEEDS.validate_python(document)
