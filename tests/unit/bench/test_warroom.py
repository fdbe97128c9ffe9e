"""The parts of the war room's bench that need no server."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.bench.warroom.heard import Missed, missed
from sandbox.bench.warroom.measure import Plan
from sandbox.bench.warroom.mix import AT_DESK, commands, role_of
from sandbox.bench.warroom.page import named
from sandbox.room.commands import parsed, parsed_join
from sandbox.room.errands import ERRANDS
from sandbox.room.rights import MAY, Phase, authorise
from sandbox.room.roles import ALONE
from sandbox.warroom.pages.routes import FILES


@given(st.integers(0, 40), st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
def test_what_was_not_heard_is_lost_and_what_came_again_is_doubled(upto: int, gone: set[int], again: set[int]):
    there = set(range(1, upto + 1))
    heard = sorted(there - gone)
    twice = [n for number in heard for n in [number] * (2 if number in again else 1)]

    assert missed([sorted(there), twice], upto) == Missed(len(there & gone), len((there - gone) & again))


def test_what_comes_late_and_what_comes_from_nowhere_make_up_for_nothing():
    assert missed([[1, 3, 2]], 3) == Missed(lost=0, doubled=1)
    assert missed([[1, 2, 9]], 3) == Missed(lost=1, doubled=0)
    assert missed([[]], 3) == Missed(lost=3)


@pytest.mark.parametrize("people", [1, 5, 50])
def test_all_that_participants_do_is_theirs_to_do(people: int):
    """A command that is refused would be measured as a quick one."""
    roles = [parsed_join({"name": f"p{n}", "role": role_of(n)}).role for n in range(people)]

    assert all(roles.count(role) <= 1 for role in ALONE)
    for who, kind, fields in islice(commands(people), 60):
        parsed({"kind": kind, **fields})
        assert authorise(roles[who], kind, Phase.running) is None, (kind, roles[who], MAY[roles[who]])


def test_it_knows_what_waits_for_the_desk():
    kinds = {kind for _, kind, _ in islice(commands(5), 60)}

    assert kinds & ERRANDS.keys() == AT_DESK


def test_a_page_is_fetched_with_every_file_that_it_leads_to():
    left, seen = ["/static/room.html"], set[str]()
    while left:
        path = left.pop()
        seen.add(path)
        left += [name for name in named(FILES[path.removeprefix("/static/")].body.decode()) if name not in seen]

    assert {"/static/room.js", "/static/dom.js", "/static/style.css", "/static/workbench.js"} <= seen
    assert not any("instructor" in name for name in seen)


@pytest.mark.parametrize("wrong", [{"participants": 0}, {"rooms": 21}, {"seconds": 0.0}, {"rate": 100.0}], ids=str)
def test_what_it_cannot_measure_is_refused(wrong: dict[str, float]):
    with pytest.raises(SandboxError, match="CFG-001"):
        Plan(**wrong)
