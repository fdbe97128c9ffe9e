"""What can be armed by hand: the catalogue of faults with their knobs, as it makes docs/faults.md, and for each a step of the
library's that uses it, to begin a form with."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

from faults import reach
from faults.base import Fault
from faults.catalogue import CATALOGUE
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import MADE, Step
from services.skeleton.points import POINTS


class Armable(BaseModel, frozen=True):
    """knobs: name -> JSON schema. targets: where it can be armed; of one that spoils a release, where releases go. scope:
    parts that hold there. share, onset, ends: whether less than all, other than at once, and an end by itself can hold.
    release: whether it comes with one. why_not: empty where it can be armed by hand. example: the fields of a deed `arm`,
    as a scenario of the library has them, None where none does."""

    name: str
    layer: str
    summary: str
    moves: str
    repairs: str
    control: bool
    knobs: dict[str, Any]
    targets: list[str]
    needs: list[str]
    scope: list[str]
    share: bool
    onset: bool
    ends: bool
    release: bool
    why_not: str
    example: dict[str, Any] | None


@cache
def armable() -> tuple[Armable, ...]:
    """All of them by name. Reads the library once."""
    examples = _examples()
    return tuple(_told(fault, examples.get(name)) for name, fault in CATALOGUE.items())


def _told(fault: type[Fault], example: dict[str, Any] | None) -> Armable:
    row = reach.document(fault)
    made = bool(POINTS[fault.seam].made_by)
    return Armable(
        name=row["name"], layer=row["layer"], summary=row["summary"], moves=row["moves"], repairs=row["repairs"],
        control=row["control"], knobs=row["knobs"], targets=row["targets"], needs=row["needs"], scope=row["scope"],
        share=row["share"], onset=row["onset"], ends=row["until_s"], release=fault.seam == "release",
        why_not="it spoils what is trained or built long before: a scenario brings it" if made else "",
        example=example,
    )  # fmt: skip


def _examples() -> dict[str, dict[str, Any]]:
    """The first step for each fault, of those that need nothing trained or built for them where there is one."""
    found: dict[str, dict[str, Any]] = {}
    for scenario in library.load_all().values():
        for step in scenario.timeline:
            if step.fault is None or (step.release and any(getattr(step.release, key) for key in MADE)):
                continue
            found.setdefault(step.fault.name, _deed(step))
    return found


def _deed(step: Step) -> dict[str, Any]:
    assert step.fault is not None
    dumped = step.model_dump(mode="json", exclude_defaults=True)
    return {
        "fault": step.fault.name, "target": step.target, "params": step.fault.params, "share": step.share,
        **{part: dumped[part] for part in ("scope", "onset", "release", "ends_on") if part in dumped},
    }  # fmt: skip
