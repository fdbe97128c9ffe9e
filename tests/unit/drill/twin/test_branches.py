"""Runs that begin alike, run once and forked where they part: the same runs, byte for byte."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.twin import arm_runs, branches
from sandbox.drill.twin.arms import ArmPlan
from tests.unit.drill.scenes import scenario

PLAN = ArmPlan(scenario(), "tiny", 3, True, (), 2_700.0)
LAG_ENDS, THEN = (1_800.0, "restart service=stream"), (2_250.0, "path caller=gateway callee=rules path=b")


@pytest.fixture
def plans(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ArmPlan]:
    (tmp_path / "worlds").symlink_to(home / "worlds")
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    done = (), (LAG_ENDS,), (LAG_ENDS, THEN), (THEN,)
    return [*(replace(PLAN, actions=actions) for actions in done), replace(PLAN, until_s=1_801.0)]


def digests(plans: list[ArmPlan]) -> dict[str, str]:
    """Of each run's ledger and of every file of its directory but the one that says where it lies."""
    found = {}
    for plan in plans:
        ledger = arm_runs.root() / f"{plan.key}.npz"
        files = [
            ledger,
            *sorted(p for p in ledger.with_suffix(".run").rglob("*") if p.is_file() and p.name != "run.json"),
        ]
        found[plan.key] = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return found


@pytest.mark.slow
def test_a_run_that_was_forked_is_the_one_that_was_run_by_itself(plans, tmp_path, monkeypatch):
    began = []
    monkeypatch.setattr(branches, "run_family", lambda *_: began.append(1))
    arm_runs.run_all(plans, telemetry=plans, workers=1)  # in this process, where nothing is forked
    apart = digests(plans)
    assert began == []
    monkeypatch.undo()
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    for path in arm_runs.root().glob("*.npz"):
        path.unlink()
        path.with_suffix(".run").rename(tmp_path / path.stem)

    arm_runs.run_all(plans, telemetry=plans, workers=2)  # one family: one process, and its copies

    assert digests(plans) == apart
    assert len(set(apart.values())) == len(plans)
    assert not list(arm_runs.root().glob(".scratch*"))


def test_what_one_branch_is_refused_is_told_by_its_code(plans):
    with pytest.raises(SandboxError) as refused:
        arm_runs.run_all([PLAN, replace(PLAN, actions=((1_800.0, "revert change=99"),))], workers=2)

    assert refused.value.kind.code == "DRILL-007"
    assert not list(arm_runs.root().glob(".scratch*"))


def test_a_copy_that_dies_is_an_error_and_one_that_is_done_is_none(capfd):
    branches._in_a_copy(lambda: None)
    for death in (lambda: os._exit(3), lambda: os.kill(os.getpid(), 9), lambda: 1 / 0):
        with pytest.raises(SandboxError) as died:
            branches._in_a_copy(death)
        assert died.value.kind.code == "RUN-008"

    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_process_that_computes_with_threads_is_not_forked():
    """This one is nobody's worker, and its libraries may use all cores."""
    assert not branches.can_branch()
