"""A drill lies apart from its run, under a name that says nothing, and has its stack to itself."""

from __future__ import annotations

import json
import stat

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play import drills
from tests.unit.drill.scenes import scenario


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def create(run_dir):
    return drills.create(scenario(), run_dir=run_dir, seed=1, faults=True, autopilot=False, own_stack=True)


def test_while_one_drill_holds_a_run_no_other_begins_there(run_dir):
    with drills.lock(run_dir):
        assert drills.running_on(run_dir)
        with pytest.raises(SandboxError, match="DRILL-004"):
            create(run_dir)
        with pytest.raises(SandboxError, match="DRILL-004"), drills.lock(run_dir):
            pass
        assert drills.running_on(run_dir), "the refused one has not let go of it"

    assert not drills.running_on(run_dir)
    assert create(run_dir).plan.run_dir == str(run_dir)


def test_the_run_learns_a_number_and_the_truth_is_for_this_user_alone(run_dir):
    drill = create(run_dir)
    drills.announce(drill)

    assert json.loads((run_dir / "drill.json").read_text()) == {"drill": drill.directory.name}
    assert scenario().id not in drill.directory.name
    assert stat.S_IMODE(drill.directory.stat().st_mode) == 0o700
    assert drills.of_run(run_dir).plan == drill.plan


@pytest.mark.parametrize("text", ["", "[]", '{"drill": 7}', '{"drill": "../../etc"}', "\0"])
def test_a_damaged_note_is_no_drill(run_dir, text):
    (run_dir / "drill.json").write_text(text)

    with pytest.raises(SandboxError, match="DRILL-006"):
        drills.of_run(run_dir)


def test_nothing_in_a_running_drill_s_directory_names_its_truth(run_dir):
    drill = create(run_dir)
    drill.journal.append(1.0, "engine", "armed", id="w1", fault="session-stream-lag")
    drill.journal.append(2.0, "engine", "phase", name="failed", error={"seen": "session-stream-lag"})
    drill.journal.append(3.0, "engine", "page", kind="alert", text="PAGE latency")

    written = b"".join(p.read_bytes() for p in drill.directory.iterdir())

    for secret in (b"session-stream-lag", b"stream-lag", b"small-drill", b"lag_s", b"restart"):
        assert secret not in written
    assert b"PAGE latency" in written, "what everybody knows needs no key"
    assert drill.scenario == scenario()
    assert [e.what for e in drill.entries()] == ["armed", "phase", "page"]
    assert stat.S_IMODE((drill.directory / "key").stat().st_mode) == 0o600


def test_whether_faults_were_left_out_is_sealed_too(run_dir):
    with_faults = json.loads((create(run_dir).directory / "plan.json").read_text())
    drill = drills.create(scenario(), run_dir=run_dir, seed=1, faults=False, autopilot=False, own_stack=True)
    without = json.loads((drill.directory / "plan.json").read_text())

    differ = {name for name in without if without[name] != with_faults[name]}
    assert differ == {"drill", "sealed"}
    assert drill.plan.faults is False


def test_from_the_debrief_on_people_can_read_it(run_dir):
    drill = create(run_dir)
    drill.journal.append(1.0, "engine", "armed", id="w1", fault="session-stream-lag")
    assert drills.debriefed() == set()

    drill.unseal()
    drill.unseal()

    opened = drill.directory / "opened"
    assert json.loads((opened / "plan.json").read_text())["scenario"]["id"] == "small-drill"
    assert "session-stream-lag" in (opened / "journal.jsonl").read_text()
    assert drills.debriefed() == {"small-drill"}
    assert len(drill.entries()) == 1, "the drill itself reads on as before"


def test_a_drill_of_before_with_plain_files_is_read(run_dir):
    drill = create(run_dir)
    drill.journal.append(1.0, "engine", "armed", id="w1", fault="session-stream-lag")
    drill.unseal()
    before = drills.Drill(run_dir.parent / "before")
    (drill.directory / "opened").rename(before.directory)

    assert before.plan == drill.plan
    assert before.entries() == drill.entries()
    assert before.journal.damaged() == 0


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 32])
def test_with_another_key_a_plan_is_refused_and_not_guessed_at(run_dir, key):
    drill = create(run_dir)
    (drill.directory / "key").write_bytes(key)

    with pytest.raises(SandboxError, match="CFG-003"):
        _ = drill.plan
