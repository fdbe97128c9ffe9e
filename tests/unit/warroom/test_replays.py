"""Looking back over the API: the instructor at any time, a team at its own room once it is in its debrief."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox.room import house
from sandbox.room.house import Deed
from sandbox.room.record.recordings import Recording
from tests.services.waiting import wait_for
from tests.unit.room.panels.toy import write_lake
from tests.unit.warroom.conftest import Caller, Site
from tests.unit.warroom.test_api import problem


def kept_on_disk(site: Site) -> None:
    """The stand-in's room where `house` looks for rooms."""
    place = house.root() / site.code
    place.mkdir(parents=True, exist_ok=True)
    deed = Deed(site.code, "small-drill", "virtual", site.scene.desk.drill.plan.drill, False)
    (place / "room.json").write_text(json.dumps(deed.__dict__))
    (place / "journal.jsonl").write_bytes(site.scene.journal.path.read_bytes())


def test_a_team_looks_back_in_its_debrief_and_not_before(site: Site):
    ann, bob = site.joined("Ann", "commander"), site.joined("Bob", "observer")
    said = ann.do("chat", text="it is the stream").json()["seq"]
    place = f"/rooms/{site.code}/replay"
    for path in (place, f"{place}/moment?seq=2", f"{place}/signals", f"{place}/then?seq=2"):
        problem(ann.client.get(path), 409, "ROOM-003")
        problem(site.client().get(path), 401, "ROOM-004")
    problem(ann.do("step_to", event=2), 409, "ROOM-003")
    ann.do("end")
    wait_for(lambda: site.scene.room.shared.grade is not None, within_s=10)

    told = ann.client.get(place).json()
    before, after = (ann.client.get(f"{place}/moment", params={"seq": seq}).json() for seq in (said - 1, said))

    assert "Ann: it is the stream" in [line["text"] for line in told["lines"]]
    assert "truth" in [line["kind"] for line in told["lines"]], "now it is nobody's secret"
    assert (before["messages"], [m["text"] for m in after["messages"]]) == ([], ["it is the stream"])
    assert before["grade"] is None
    problem(bob.do("step_to", event=2), 403, "ROOM-002")
    problem(ann.do("step_to", event=99_999), 404, "ROOM-009")
    assert ann.do("step_to", event=said).status_code == 200
    assert bob.state()["shown"] == said, "all look at it"
    problem(ann.client.get(f"{place}/moment", params={"seq": 0}), 400, "ROOM-006")
    gone = ann.client.get(f"{place}/then", params={"seq": said}).json()
    assert (gone["stack"], gone["answer"], gone["why"]) == (None, None, "its telemetry is gone")


def test_signals_are_asked_for_once_however_many_look(site: Site, monkeypatch):
    asked = []
    monkeypatch.setattr(Recording, "signals", lambda self: asked.append(self.name) or {"ctr": [(1.0, 0.5)]})
    ann, bob = site.joined("Ann", "commander"), site.joined("Bob", "scribe")
    ann.do("end")
    wait_for(lambda: site.scene.room.shared.grade is not None, within_s=10)

    seen = [who.client.get(f"/rooms/{site.code}/replay/signals").json() for who in (ann, bob, ann)]

    assert seen == [{"ctr": [[1.0, 0.5]]}] * 3
    assert asked == [site.code]


def test_the_instructor_looks_back_at_any_room_there_is_and_a_team_at_no_others(site: Site):
    ann, boss = site.joined("Ann", "commander"), site.instructor()
    ann.do("chat", text="hello")
    kept_on_disk(site)
    place = f"/instructor/replays/{site.code.lower()}"

    assert [line["name"] for line in boss.client.get("/instructor/replays").json()] == [site.code]
    assert boss.client.get(place).json()["n"] == 4
    then = boss.client.get(f"{place}/moment", params={"seq": 4}).json()
    assert [m["text"] for m in then["messages"]] == ["hello"]
    assert then["truth"]["faults"] is True
    problem(boss.client.get("/instructor/replays/NOBODY"), 404, "ROOM-001")
    assert boss.client.get(f"{place}/signals").json() == {}, "its telemetry is gone"
    for path in ("/instructor/replays", place, f"{place}/moment?seq=4", f"{place}/signals", f"{place}/then?seq=4"):
        problem(ann.client.get(path), 401, "ROOM-004")


def test_panels_of_a_moment_show_the_lake_as_it_was_by_then_to_whoever_may_look_back(site: Site):
    """The instructor of any recording, a team of its own in the debrief; each moment once, however many look."""
    ann, boss, desk = site.joined("Ann", "commander"), site.instructor(), site.scene.desk
    site.scene.pass_(20)
    early = ann.do("chat", text="early").json()["seq"]
    site.scene.pass_(30)
    late = ann.do("chat", text="late").json()["seq"]
    write_lake(Path(desk.drill.plan.run_dir) / "lake", end=site.scene.room.now() + 60)
    place = f"/rooms/{site.code}/replay"
    for panel in ("traces", "stack", "dashboards/requests", "logs", "slates"):
        problem(ann.client.get(f"{place}/{panel}", params={"seq": late}), 409, "ROOM-003")
        problem(ann.client.get(f"/instructor/replays/{site.code}/{panel}", params={"seq": late}), 401, "ROOM-004")
    problem(ann.client.get(f"{place}/traces"), 400, "ROOM-006")
    ann.do("end")
    wait_for(lambda: site.scene.room.shared.grade is not None, within_s=10)
    kept_on_disk(site)

    def shown(who: Caller, place: str, seq: int) -> list[str]:
        answer = who.client.get(f"{place}/traces", params={"seq": seq, "order": "latest"})
        assert answer.status_code == 200, answer.text
        return [line["trace"] for line in answer.json()["traces"]]

    then, now = (shown(ann, place, seq) for seq in (early, late))
    assert len(then) < len(now)
    assert shown(boss, f"/instructor/replays/{site.code}", early) == then
    assert ann.client.get(f"{place}/stack", params={"seq": late}).status_code == 200
    assert [e for e in site.scene.room.events if e.kind == "looked"] == [], "nobody's business"
