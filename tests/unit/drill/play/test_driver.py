"""A load generator that dies is started again, and bears what the drill had armed in it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play.driver import keep_up
from sandbox.drill.play.journal import Journal
from sandbox.drill.play.on_load import OnLoad

CROWD = {"fault": "flash-crowd", "params": {}, "since": None}


class FakeLoad:
    """Traffic as `loadtest.runner.Load` and its control socket show it. Started, it is up after a while."""

    def __init__(self) -> None:
        self.running, self.up, self.starts = True, True, 0
        self.bears: dict[str, dict[str, Any]] = {}

    def dies(self) -> None:
        self.running = self.up = False
        self.bears = {}

    def start(self) -> None:
        self.running, self.starts = True, self.starts + 1

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        if not self.up:
            raise refusal("RUN-001")
        if op == "list":
            return {"ids": sorted(self.bears)}
        if op == "disarm":
            return {"was_armed": self.bears.pop(fields["id"], None) is not None}
        assert fields["id"] not in self.bears, "an armoury refuses an id twice"
        if fields["fault"] == "no-such-fault":
            raise refusal("FLT-001")
        self.bears[fields.pop("id")] = fields
        return {}


def refusal(code: str) -> SandboxError:
    return SandboxError(code, where="load", seen="x", expected="y", fix="z")


class Drive:
    """The driver's loop as far as the load goes. now: world seconds."""

    def __init__(self, tmp_path) -> None:
        self.load, self.journal, self.now = FakeLoad(), Journal(tmp_path / "j.jsonl"), 100.0
        self.on_load = OnLoad(self.load.ask, lambda: self.now)

    def tick(self) -> None:
        self.now += 15
        keep_up(self.load, self.on_load, self.journal, self.now)  # type: ignore[arg-type]

    def told(self) -> list[tuple[str, Any]]:
        return [(e.what, e.fields.get("ids")) for e in self.journal.read()]


def test_a_crowd_goes_on_after_the_load_has_died(tmp_path):
    drive = Drive(tmp_path)
    drive.on_load.arm("w1", CROWD)
    drive.load.dies()

    drive.tick()  # started, but not up yet
    assert drive.load.bears == {}
    drive.load.up = True
    drive.tick()
    drive.tick()

    assert drive.load.bears == {"w1": {**CROWD, "since": 100.0}}, "the onset does not begin again"
    assert drive.load.starts == 1
    assert drive.told() == [("failure", None), ("rearmed", ["w1"])]


def test_nothing_is_told_of_a_load_that_runs_and_bore_nothing(tmp_path):
    drive = Drive(tmp_path)
    drive.on_load.arm("w1", CROWD)
    drive.tick()
    assert drive.told() == []

    drive.on_load.disarm("w1")
    drive.load.dies()
    drive.tick()
    drive.load.up = True
    drive.tick()

    assert drive.told() == [("failure", None)]
    assert drive.load.bears == {}


def test_what_falls_due_while_the_load_is_away_comes_with_it(tmp_path):
    drive = Drive(tmp_path)
    drive.on_load.arm("w1", CROWD)
    drive.load.dies()
    drive.tick()

    drive.on_load.arm("w2", CROWD)
    drive.on_load.disarm("w1")
    drive.load.up = True
    drive.tick()

    assert list(drive.load.bears) == ["w2"]
    assert drive.told() == [("failure", None), ("rearmed", ["w2"])]


def test_a_fault_that_the_load_refuses_is_refused_at_once_and_not_tried_again(tmp_path):
    drive = Drive(tmp_path)

    with pytest.raises(SandboxError, match="FLT-001"):
        drive.on_load.arm("w1", {**CROWD, "fault": "no-such-fault"})

    drive.load.dies()
    drive.tick()
    drive.load.up = True
    drive.tick()
    assert drive.load.bears == {}
