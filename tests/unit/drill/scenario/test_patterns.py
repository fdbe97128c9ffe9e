"""Patterns on actions are written as the actions are."""

from __future__ import annotations

import pytest

from sandbox.drill.scenario.patterns import OPERATIONS, ActionPattern, parse_action
from sandbox.runtime.operate.actions import ACTIONS


def test_a_pattern_binds_the_arguments_it_names_and_no_others():
    pattern = ActionPattern.parse("deadline caller=gateway ms=[12]?")

    assert pattern.matches("deadline", {"caller": "gateway", "callee": "rules", "ms": "20"})
    assert not pattern.matches("deadline", {"caller": "gateway", "callee": "rules", "ms": "200"})
    assert not pattern.matches("deadline", {"caller": "ranking", "ms": "20"})
    assert not pattern.matches("deadline", {"ms": "20"}), "a named argument has to be there"
    assert not pattern.matches("path", {"caller": "gateway", "ms": "20"})


def test_only_a_pattern_without_wildcards_can_be_carried_out():
    assert ActionPattern.parse("restart service=stream").concrete
    assert not ActionPattern.parse("restart service=*").concrete


@pytest.mark.parametrize("text", ["restart stream", "restart service=", "restart =x", "path a=1 a=2"])
def test_a_word_that_is_no_argument_is_refused(text):
    with pytest.raises(ValueError, match="name=value"):
        ActionPattern.parse(text)


def test_a_recorded_action_may_hold_values_with_blanks():
    text = "set service=ranking field=contract value=54 entries"

    op, arguments = parse_action(text)

    assert op == "set"
    assert arguments == {"service": "ranking", "field": "contract", "value": "54 entries"}
    assert parse_action("skip-backlog") == ("skip-backlog", {})


def test_the_operations_of_patterns_are_those_that_can_be_carried_out():
    acts = {name: tuple(kind.arguments) for name, kind in ACTIONS.items()}

    assert {**acts, "set": ("service", "field", "value")} == OPERATIONS


@pytest.mark.parametrize("text", ["*", "re* service=st*", "revert target=rules key=sensitivity", "promote artifact=*"])
def test_wildcards_and_what_the_change_log_says_are_known(text):
    ActionPattern.parse(text).require_known()


@pytest.mark.parametrize("text", ["reboot", "restart what=x", "*-backlog minutes=3", "restart service=x"])
def test_what_no_operation_is_or_takes_is_refused(text):
    with pytest.raises(ValueError, match=r"none of|no argument|no such service"):
        ActionPattern.parse(text).require_known()
