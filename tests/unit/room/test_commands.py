"""What a command may be: bounded everywhere, and refused by the name of its field."""

from __future__ import annotations

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.commands import MOST_FIELD_BYTES, parsed, parsed_join

BAD = {
    "no command at all": ([], "command"),
    "no kind": ({}, "command"),
    "a kind that there is not": ({"kind": "format_disk"}, "command"),
    "an unknown key": ({"kind": "pause", "now": True}, "now"),
    "ten megabytes of chat": ({"kind": "chat", "text": "x" * 10_000_000}, "text"),
    "eleven links": ({"kind": "chat", "text": "x", "links": [{"kind": "time", "value": "1"}] * 11}, "links"),
    "an empty task": ({"kind": "task_add", "text": ""}, "text"),
    "a task of number nought": ({"kind": "task_done", "task": 0}, "task"),
    "a long query": ({"kind": "ask", "sql": "x" * 8_001}, "sql"),
    "an action and a preview": ({"kind": "act", "action": "x", "preview": 1}, "act"),
    "neither": ({"kind": "act"}, "act"),
    "a speed of nought": ({"kind": "speed", "factor": 0}, "factor"),
    "a speed that is no number": ({"kind": "speed", "factor": float("nan")}, "factor"),
    "a field that no report has": ({"kind": "report_field", "field": "score", "value": 1}, "report_field"),
    "a field beyond its size": ({"kind": "report_field", "field": "notes", "value": "x" * MOST_FIELD_BYTES}, "value"),
    "a number JSON has no word for": ({"kind": "report_field", "field": "notes", "value": float("inf")}, "value"),
    "a time before the epoch": ({"kind": "timeline_edit", "text": "x", "at_ts": -1}, "at_ts"),
    "a score above one": ({"kind": "override", "score": 2, "reason": "x"}, "score"),
    "a long id": ({"kind": "leave", "id": "x" * 65}, "id"),
}


@pytest.mark.parametrize("document", [d for d, _ in BAD.values()], ids=list(BAD))
def test_what_is_no_command_is_refused_by_the_name_of_its_field(document):
    field = next(f for d, f in BAD.values() if d is document)

    with pytest.raises(SandboxError) as refused:
        parsed(document)

    assert refused.value.kind.code == "ROOM-006"
    assert field in refused.value.where
    assert len(str(refused.value)) < 2_000, "a hostile value does not come back at its full length"


@pytest.mark.parametrize("name", ["", "x" * 41, "a\nb", "a\x00b"])
def test_a_name_is_short_and_on_one_line(name):
    with pytest.raises(SandboxError, match="ROOM-006"):
        parsed_join({"name": name, "role": "scribe"})


def test_a_hostile_name_is_a_name_like_any_other():
    assert parsed_join({"name": "<script>alert(1)</script>", "role": "scribe"}).name == "<script>alert(1)</script>"


def test_a_report_may_be_filed_as_a_whole_or_as_it_was_filled_in():
    assert parsed({"kind": "file_report"}).report is None
    assert parsed({"kind": "file_report", "report": {"incident": False}}).report == {"incident": False}
