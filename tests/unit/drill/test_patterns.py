"""Patterns on actions are written as the actions are."""

from __future__ import annotations

import pytest

from sandbox.drill.patterns import ActionPattern, parse_action


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


@pytest.mark.parametrize(
    "text", ["restart stream", "restart service=", "restart =x", "path a=1 a=2"]
)
def test_a_word_that_is_no_argument_is_refused(text):
    with pytest.raises(ValueError, match="name=value"):
        ActionPattern.parse(text)


def test_a_recorded_action_may_hold_values_with_blanks():
    text = "set service=ranking field=contract value=54 entries"

    op, arguments = parse_action(text)

    assert op == "set"
    assert arguments == {"service": "ranking", "field": "contract", "value": "54 entries"}
    assert parse_action("skip-backlog") == ("skip-backlog", {})
