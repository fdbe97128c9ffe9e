"""`sandbox up --replicas`: what it takes, and what it says of the rest."""

from __future__ import annotations

import pytest

from sandbox.base.errors import SandboxError
from sandbox.cli.stack import _replicas


def test_each_service_stands_with_its_number():
    assert _replicas(["model=2", "rules=3"]) == {"model": 2, "rules": 3}
    assert _replicas([]) == {}


@pytest.mark.parametrize("given", [["model"], ["model="], ["model=two"], ["model=-1"], ["model=2", "model=3"]])
def test_anything_else_is_refused_with_an_example(given):
    with pytest.raises(SandboxError) as caught:
        _replicas(given)

    assert caught.value.kind.code == "CFG-001"
    assert given[-1] in str(caught.value)
    assert "--replicas model=2" in str(caught.value)
