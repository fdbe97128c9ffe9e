"""Who may do what, when: every cell of the table."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import get_args

from sandbox.room import aside_talk, rights
from sandbox.room.commands import AnyCommand
from sandbox.room.errands import ERRANDS
from sandbox.room.rights import Phase, authorise
from sandbox.room.roles import Role
from sandbox.room.talk import TALK
from sandbox.room.twists.director import ORDERS

DOCS = Path(__file__).resolve().parents[3] / "docs/security.md"
CHANGES_THE_STACK = {"act", "revert"}
RUNS_THE_ROOM = {
    "start",
    "pause",
    "speed",
    "inject",
    "give_hint",
    "override",
    "note",
    "dismiss",
    "inject_plan",
    "inject_drop",
    "inject_fire",
    "inject_set",
    "twist",
    "show_failures",
}


def kinds_of_commands() -> set[str]:
    union, _ = get_args(AnyCommand)
    return {kind for model in get_args(union) for kind in get_args(model.model_fields["kind"].annotation)}


def test_every_command_has_its_row_and_one_place_where_it_is_done():
    places = (TALK, aside_talk.TALK, ERRANDS, ORDERS, {"ask", "inject_set"})

    assert set(rights.KINDS) == kinds_of_commands() == set().union(*places)
    assert len(rights.KINDS) == sum(len(place) for place in places)


def test_the_table_in_the_docs_is_the_one_in_force():
    assert "\n".join(rights.table()) in DOCS.read_text()


def test_only_those_who_may_change_the_stack_do_and_only_while_it_runs():
    for role, phase, kind in itertools.product(Role, Phase, CHANGES_THE_STACK):
        may = role in (Role.commander, Role.deputy, Role.operations) and phase is Phase.running
        assert (authorise(role, kind, phase) is None) == may


def test_nobody_but_the_instructor_runs_the_room():
    for role, phase, kind in itertools.product(set(Role) - {Role.instructor}, Phase, RUNS_THE_ROOM):
        refusal = authorise(role, kind, phase)
        assert refusal is not None
        assert refusal.code == "ROOM-002"


def test_an_observer_can_do_nothing_but_go():
    assert {kind for kind in rights.KINDS for phase in Phase if authorise(Role.observer, kind, phase) is None} == {
        "leave"
    }


def test_a_refusal_names_those_who_may_or_when():
    by = authorise(Role.scribe, "act", Phase.running)
    now = authorise(Role.operations, "act", Phase.paused)

    assert by is not None
    assert by.expected == "act by commander, deputy, operations"
    assert now is not None
    assert (now.code, now.expected) == ("ROOM-003", "act while it is running")


def test_what_the_state_says_one_may_is_what_one_may():
    for role, phase in itertools.product(Role, Phase):
        assert rights.rights(role, phase) == [k for k in rights.KINDS if authorise(role, k, phase) is None]


def test_once_the_drill_is_over_it_can_be_looked_at_and_nothing_that_concerns_it_be_done():
    drill = {"act", "revert", "recommend", "preview", "hint", "file_report", "end", "report_field"}
    for role, phase, kind in itertools.product(Role, (Phase.over, Phase.debrief), drill):
        assert authorise(role, kind, phase) is not None
        assert (authorise(role, "ask", phase) is None) == (role is not Role.observer)
