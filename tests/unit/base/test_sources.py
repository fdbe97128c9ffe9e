"""Which files decide an outcome: all that is imported on the way to it, and nothing else."""

from __future__ import annotations

import pytest

from sandbox.base.sources import ROOT, closure, code_hash


def files(*modules: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in closure(*modules)}


def test_a_run_of_the_twin_is_decided_by_world_faults_services_and_its_data():
    found = files("sandbox.drill.twin.arm_run", "faults")

    assert {
        "sandbox/virtual/people/users.py", "sandbox/virtual/machine/timing.json", "services/rules/core.py",
        "faults/rpc/edge_latency.py", "sandbox/pipeline/ranker.py", "sandbox/runtime/operate/process_actions.py",
    } <= found  # fmt: skip


@pytest.mark.parametrize("place", ["sandbox/cli/", "sandbox/drill/terminal/", "sandbox/drill/grading/",
                                   "sandbox/drill/responders/", "sandbox/drill/proof/", "sandbox/bench/"])  # fmt: skip
def test_and_by_no_screen_grade_or_command(place):
    assert not {f for f in files("sandbox.drill.twin.arm_run", "faults") if f.startswith(place)}


def test_what_only_tells_of_things_decides_nothing():
    assert "sandbox/base/errors.py" not in files("sandbox.pipeline.build")


def test_the_same_code_has_one_hash_and_other_code_another():
    assert code_hash("sandbox.base.streams") == code_hash("sandbox.base.streams")
    assert code_hash("sandbox.base.streams") != code_hash("sandbox.base.features")
    with pytest.raises(ValueError, match="nonsense"):
        closure("sandbox.nonsense")
