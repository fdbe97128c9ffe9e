"""One line for each room: who needs help, and who looks where nothing is wrong."""

from __future__ import annotations

from sandbox.room.twists.astray import places, wrong
from sandbox.room.twists.view import view_of
from tests.unit.room.desk import PAGE_S, Scene

KNOWN = {"gateway", "features", "retrieval", "gateway->features", "stream", "user_session"}


def test_a_look_names_components_as_words():
    assert places("SELECT * FROM spans WHERE service = 'features'", KNOWN) == {"features"}
    assert places("caller='gateway' AND callee='features'", KNOWN) == {"gateway", "features", "gateway->features"}
    assert places("SELECT features_ms FROM requests", KNOWN) == set()


def test_somebody_is_lost_once_several_looks_name_places_and_none_the_right_one():
    lost = [
        "service='retrieval'",
        "select 1",
        "service = 'retrieval' or service='gateway'",
        "restart service=retrieval",
    ]

    assert wrong(lost, KNOWN, {"stream"}) == ["retrieval", "gateway"]
    assert wrong(lost[:3], KNOWN, {"stream"}) == [], "too few to say"
    assert wrong([*lost, "service='stream'"], KNOWN, {"stream"}) == []
    assert wrong(["callee='features'"] * 3, KNOWN, {"gateway->features"}) == [], "one end of the edge is near enough"
    assert wrong(lost, KNOWN, set()) == []


def test_the_view_tells_phase_page_quiet_and_lost(opened: Scene):
    ann, bob = opened.join("Ann", "commander"), opened.join("Bob", "data_analyst")
    fresh = view_of(opened.room)
    opened.pass_(PAGE_S / 60 + 1)
    for _ in range(3):
        opened.do(bob, "ask", sql="SELECT * FROM spans WHERE service = 'gateway'")
    opened.do(ann, "acknowledge")
    opened.hands[0] += 400
    opened.do(bob, "chat", text="hm")
    told = view_of(opened.room)

    assert (fresh.phase, fresh.page_ts, fresh.participants, fresh.astray) == ("running", None, 2, [])
    assert (told.acknowledged_by, told.last_by, told.last_did) == ("Ann", "Bob", "chatted")
    assert told.acknowledged_s is not None
    assert told.acknowledged_s < 120
    assert [(one.name, one.since_s) for one in told.quiet] == [("Ann", 400.0)]
    assert [(one.name, one.at) for one in told.astray] == [("Bob", ["gateway"])]
    assert told.score is None
    opened.do(ann, "end")
    opened.pass_(1)
    opened.wait_for("graded")
    over = view_of(opened.room)
    assert (over.phase, over.score, over.quiet, over.astray) == ("debrief", 0.5, [], [])
