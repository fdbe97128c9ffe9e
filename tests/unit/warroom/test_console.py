"""The instructor's console by program: all rooms at once, the catalogue of faults, sets, harm, and refusals that say why."""

from __future__ import annotations

from tests.unit.room.desk import PAGE_S
from tests.unit.warroom.conftest import Site
from tests.unit.warroom.test_api import problem

ARM = {"do": "arm", "fault": "rpc-edge-latency", "target": "gateway->rules", "params": {"delay_ms": 40}}


def test_one_view_tells_where_each_room_stands(site: Site):
    ann, boss = site.joined("Ann", "commander"), site.instructor()
    site.scene.pass_(PAGE_S / 60 + 1)
    boss.do("twist", does=ARM)
    boss.do("twist", does={"do": "ask_status", "sender": "x", "text": "?"})
    ann.do("acknowledge")
    (line,) = boss.client.get("/instructor/view").json()

    told = {
        name: line[name] for name in ("code", "phase", "acknowledged_by", "last_by", "armed", "requests", "touched")
    }
    assert told == {"code": site.code, "phase": "running", "acknowledged_by": "Ann", "last_by": "Ann", "armed": 1,
                    "requests": 1, "touched": True}  # fmt: skip


def test_what_can_be_armed_comes_with_knobs_and_where(site: Site):
    found = {one["name"]: one for one in site.instructor().client.get("/instructor/faults").json()}

    edge = found["rpc-edge-latency"]
    assert edge["knobs"]["delay_ms"]["maximum"] == 400
    assert "gateway->rules" in edge["targets"]
    assert found["group-underrepresented"]["why_not"] != ""
    assert found["rules-fail-open"]["release"]
    assert found["rules-fail-open"]["example"]["release"]["patches"]


def test_refusals_of_the_hand_are_typed_and_say_what_would_do(site: Site):
    ann, boss = site.joined("Ann", "scribe"), site.instructor()

    unknown = problem(boss.do("twist", does={**ARM, "fault": "edge-latency"}), 400, "ROOM-006")
    assert "rpc-edge-latency" in unknown["expected"]
    problem(boss.do("twist", does={"do": "dance"}), 400, "ROOM-006")
    problem(boss.do("twist", does={**ARM, "params": {"x": "y" * 9_000}}), 400, "ROOM-006")
    problem(boss.do("twist", does={"do": "revert", "colleague": "robin"}), 404, "ROOM-009")
    problem(boss.do("inject_fire", inject=7), 404, "ROOM-009")
    problem(boss.do("inject_set", set="nothing"), 404, "ROOM-009")
    problem(boss.do("inject_plan", does=ARM, sender="x", text="x"), 400, "ROOM-006")
    for kind, fields in (("twist", {"does": ARM}), ("inject_fire", {"inject": 1}), ("inject_set", {"set": "a"})):
        problem(ann.do(kind, **fields), 403, "ROOM-002")
    problem(ann.do("status_update", text="fine"), 403, "ROOM-002")
    assert site.scene.desk.hands.on == {}


def test_sets_and_harm_are_there(site: Site):
    boss = site.instructor()
    sets = boss.client.get("/instructor/inject-sets").json()
    harm = boss.client.get(f"{boss.place}/harm").json()

    assert "restless-management" in {one["id"] for one in sets["sets"]}
    assert sets["refused"] == {}
    assert harm["how"] == "signals"
    assert "no harm" in harm["why"]
