"""Ready-made sets of injects: YAML files, of the program and of one's own in SANDBOX_HOME/injects.

A file has `title`, `about` and `injects`, each of which is what the command `inject_plan` takes. None knows a scenario: they
speak of what happens in any room, the page, an acknowledgement, an action, a report.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from sandbox.base import paths, strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.room import aside_talk
from sandbox.room import events as ev
from sandbox.room.commands import InjectPlan
from sandbox.room.state import Aside

_CODE = "ROOM-006"
MOST_INJECTS = 40


class InjectsSet(BaseModel, extra="forbid", frozen=True):
    """id: its file's name. injects: in the order in which they stand there."""

    id: str = ""
    title: str = Field(min_length=1, max_length=120)
    about: str = Field(min_length=1, max_length=1000)
    injects: tuple[InjectPlan, ...] = Field(min_length=1, max_length=MOST_INJECTS)


class Sets(BaseModel, frozen=True):
    """refused: file name -> why, of those of one's own that cannot be used."""

    sets: list[InjectsSet]
    refused: dict[str, str]


def own_folder() -> Path:
    return paths.home() / "injects"


def load(path: Path) -> InjectsSet:
    """Raises ROOM-006 with file, line and field for the first thing that is wrong, CFG-002 without a file."""
    return _parsed(strict_yaml.contents(path), path.name)


def all_sets() -> Sets:
    """The program's first; a broken file of one's own hides no other."""
    found = {path.stem: load(path) for path in sorted(_folder().glob("*.yaml"))}
    refused: dict[str, str] = {}
    for path in sorted(own_folder().glob("*.yaml")):
        try:
            found[path.stem] = load(path)
        except SandboxError as error:
            refused[path.name] = f"{error.where}: {error.seen}; expected {error.expected}"
    return Sets(sets=list(found.values()), refused=refused)


def named(name: str) -> InjectsSet:
    """One's own go before the program's. Raises ROOM-009 for none, and as `load`."""
    for folder in (own_folder(), _folder()):
        if (path := folder / f"{name}.yaml").is_file():
            return load(path)
    there = ", ".join(one.id for one in all_sets().sets)
    raise SandboxError(
        "ROOM-009", where="inject_set, set", seen=name, expected=f"one of {there}",
        fix=f"write one into {own_folder()}, or choose another",
    )  # fmt: skip


def planned_set(aside: Aside, name: str) -> ev.InjectsPlanned:
    """Raises as `named` and as a plan of its own."""
    chosen = named(name)
    plans = (
        aside_talk.planned(aside, command, aside.n_plans + n, n - 1) for n, command in enumerate(chosen.injects, 1)
    )
    return ev.InjectsPlanned(set=chosen.id, plans=tuple(plans))


def _folder() -> Path:
    return Path(__file__).parent / "ready"


@lru_cache(maxsize=64)
def _parsed(raw: bytes, name: str) -> InjectsSet:
    document = strict_yaml.parse(raw, name, _CODE)
    told: Any = document.value
    if not isinstance(told, dict):
        raise document.refusal((), seen=type(told).__name__, expected="a mapping", fix="see docs/warroom.md")
    entries = told.get("injects")
    if isinstance(entries, list):
        told = {**told, "injects": [{**e, "kind": "inject_plan"} if isinstance(e, dict) else e for e in entries]}
    try:
        made = InjectsSet.model_validate({**told, "id": Path(name).stem})
    except ValidationError as error:
        first = error.errors()[0]
        place = tuple(part for part in first["loc"] if isinstance(part, int) or part in _KEYS)
        raise document.refusal(
            place, seen=repr(first.get("input"))[:100], expected=str(first["msg"]).removeprefix("Value error, ")[:400],
            fix="see docs/warroom.md for what an inject takes",
        ) from None  # fmt: skip
    for n, command in enumerate(made.injects):
        try:
            aside_talk.planned(Aside(), command, 1)
        except SandboxError as error:
            raise document.refusal(
                ("injects", n), seen=error.seen, expected=f"{error.where}: {error.expected}", fix=error.fix
            ) from None
    return made


# What may stand in a place of a document: pydantic's own has the tag of the chosen deed in it as well.
_KEYS = frozenset((*InjectsSet.model_fields, *InjectPlan.model_fields, "params", "scope", "onset", "release", "change",
                   "sender", "text", "fault", "target", "colleague", "of", "within_s", "presses", "press", "for_s",
                   "ends_on", "share", "do"))  # fmt: skip
