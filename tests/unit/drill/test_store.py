"""A drill lies apart from its run, under a name that says nothing, and has its stack to itself."""

from __future__ import annotations

import json
import stat

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill import store
from tests.unit.drill.scenes import scenario


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def create(run_dir):
    return store.create(
        scenario(), run_dir=run_dir, seed=1, faults=True, autopilot=False, own_stack=True
    )


def test_while_one_drill_holds_a_run_no_other_begins_there(run_dir):
    with store.lock(run_dir):
        assert store.running_on(run_dir)
        with pytest.raises(SandboxError, match="DRILL-004"):
            create(run_dir)
        with pytest.raises(SandboxError, match="DRILL-004"), store.lock(run_dir):
            pass
        assert store.running_on(run_dir), "the refused one has not let go of it"

    assert not store.running_on(run_dir)
    assert create(run_dir).plan.run_dir == str(run_dir)


def test_the_run_learns_a_number_and_the_truth_is_for_this_user_alone(run_dir):
    drill = create(run_dir)
    store.announce(drill)

    assert json.loads((run_dir / "drill.json").read_text()) == {"drill": drill.directory.name}
    assert scenario().id not in drill.directory.name
    assert stat.S_IMODE(drill.directory.stat().st_mode) == 0o700
    assert store.of_run(run_dir).plan == drill.plan


@pytest.mark.parametrize("text", ["", "[]", '{"drill": 7}', '{"drill": "../../etc"}', "\0"])
def test_a_damaged_note_is_no_drill(run_dir, text):
    (run_dir / "drill.json").write_text(text)

    with pytest.raises(SandboxError, match="DRILL-006"):
        store.of_run(run_dir)
