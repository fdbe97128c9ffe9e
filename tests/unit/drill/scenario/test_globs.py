"""Two patterns overlap when one text matches both, and only then."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.drill.scenario.globs import overlap

TEXTS = ["".join(t) for n in range(5) for t in product("ab1", repeat=n)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("restart", "restart", True),
        ("restart", "re*", True),
        ("re*", "*art", True),
        ("[123]?", "[1-9]??*", False),
        ("[123]?", "2*", True),
        ("a*b", "b*a", False),
        ("*", "", True),
        ("?", "", False),
        ("[!a]", "a", False),
        ("[!a]", "?", True),
        ("[", "[", True),
        ("[a", "?a", True),
        ("*[0-9]", "rk-*", True),
    ],
)
def test_patterns_of_actions(one, other, same):
    assert overlap(one, other) is same
    assert overlap(other, one) is same


@settings(max_examples=300)
@given(st.text("ab*?", max_size=4), st.text("ab*?", max_size=4))
def test_it_agrees_with_trying_every_short_text(one, other):
    tried = any(fnmatchcase(t, one) and fnmatchcase(t, other) for t in TEXTS)

    if tried:
        assert overlap(one, other)
    if not overlap(one, other):
        assert not tried
    elif len(one) + len(other) <= 4:
        assert tried, "what both can mean is short, as they are"
