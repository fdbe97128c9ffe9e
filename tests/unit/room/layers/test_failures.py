"""The layer that says where failures commonly occur: the same for every drill, and shown when the instructor says so."""

from __future__ import annotations

from faults.catalogue import CATALOGUE
from sandbox.room.events import INSTRUCTOR
from sandbox.room.layers.failures import commonly
from tests.unit.room.desk import Scene


def test_every_fault_that_does_harm_lies_somewhere_and_none_is_named():
    text = commonly().model_dump_json()
    abouts = {kind.about for kinds in commonly().at.values() for kind in kinds}

    unseen = {"dead-metric-silent"}  # telemetry has no box in the diagram
    harmful = {name: fault for name, fault in CATALOGUE.items() if not fault.control and name not in unseen}
    assert {fault.describe()["summary"] for fault in harmful.values()} == abouts
    assert not any(name in text for name in CATALOGUE)


def test_a_delay_lies_on_edges_and_not_on_their_callers():
    delay = CATALOGUE["rpc-edge-latency"].describe()["summary"]
    there = {place for place, kinds in commonly().at.items() if delay in {kind.about for kind in kinds}}

    assert there >= {"gateway->features", "ranking->model"}
    assert all("->" in place for place in there)


def test_it_is_off_until_the_instructor_has_it_shown(opened: Scene):
    ann = opened.join("Ann", "commander")
    before = opened.room.state(ann)["room"]["failures_shown"]
    opened.do(INSTRUCTOR, "show_failures", on=True)
    shown = opened.room.state(ann)["room"]["failures_shown"]
    opened.do(INSTRUCTOR, "show_failures", on=False)

    assert (before, shown, opened.room.state(ann)["room"]["failures_shown"]) == (False, True, False)
    assert opened.again().room.shared.failures_shown is False
