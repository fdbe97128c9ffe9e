"""The public words of a drill, for whoever draws a form: what a report may say, what can be done, what can be asked."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel

from sandbox.base.schema import TABLES
from sandbox.drill.play.report import SIZED, Report
from sandbox.drill.scenario import taxonomy
from sandbox.room.rights import IN, KINDS, MAY, Phase
from sandbox.room.roles import JOINABLE, Role
from sandbox.runtime.operate.actions import ACTIONS


class ActionKind(BaseModel):
    """arguments: name -> what it is. optional: those of them that may be left out."""

    name: str
    about: str
    arguments: dict[str, str]
    optional: list[str]


class Right(BaseModel):
    """Who may give a command, and while the room is what."""

    roles: list[str]
    phases: list[str]


class Words(BaseModel):
    """components: name -> what it is. mechanisms: family -> its own. sized: what a report may give a size of. fields: of a
    report. rights: kind of command -> who may give it. tables: name -> columns, each (name, type, comment)."""

    roles: list[str]
    rights: dict[str, Right]
    components: dict[str, str]
    mechanisms: dict[str, list[str]]
    sized: list[str]
    fields: list[str]
    actions: list[ActionKind]
    tables: dict[str, list[tuple[str, str, str]]]


@cache
def words() -> Words:
    """The same for every room; nothing of a scenario is in them."""
    families: dict[str, list[str]] = {family: [] for family in taxonomy.FAMILIES}
    for name, mechanism in taxonomy.MECHANISMS.items():
        families[mechanism.family].append(name)
    return Words(
        roles=[role.value for role in JOINABLE],
        rights={
            kind: Right(
                roles=[role.value for role in Role if kind in MAY[role]],
                phases=[phase.value for phase in Phase if kind in IN[phase]],
            )
            for kind in KINDS
        },
        components={name: component.about for name, component in taxonomy.COMPONENTS.items()},
        mechanisms=families,
        sized=list(SIZED),
        fields=list(Report.model_fields),
        actions=[
            ActionKind(name=name, about=kind.summary, arguments=dict(kind.arguments), optional=sorted(kind.optional))
            for name, kind in ACTIONS.items()
        ],
        tables={
            name: [(column.name, column.type, column.comment) for column in table.columns]
            for name, table in TABLES.items()
        },
    )
