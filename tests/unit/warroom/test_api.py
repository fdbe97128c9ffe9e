"""The room by program: what is answered, what is refused and how, and what a stream tells."""

from __future__ import annotations

import http.client
import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import connect

from sandbox.warroom.reference import page
from tests.unit.warroom.conftest import Site
from tests.unit.warroom.panels import PANELS

DOCS = Path(__file__).resolve().parents[3] / "docs/api.md"


def problem(answer, status: int, code: str) -> dict:
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code), told
    assert {"type", "title", "detail", "instance", "where", "seen", "expected", "fix"} <= set(told)
    return told


def test_two_join_and_what_one_does_the_other_is_told(site: Site):
    ann, bob = site.joined("Ann", "commander"), site.joined("Bob", "data_analyst")

    said = ann.do("chat", text="<script>alert(1)</script>").json()["seq"]
    asked = bob.do("ask", sql="select 1").json()["seq"]
    stream = bob.events(until=asked)

    assert [kind for _, kind in stream] == ["opened", "joined", "started", "joined", "chatted", "asked"]
    assert [seq for seq, _ in stream] == list(range(1, asked + 1))
    assert bob.state()["messages"] == [ann.state()["messages"][0]]
    assert bob.state()["messages"][0]["seq"] == said
    assert bob.state()["me"]["role"] == "data_analyst"


def test_a_stream_goes_on_where_it_broke_off(site: Site):
    ann = site.joined("Ann", "commander")
    for n in range(5):
        ann.do("chat", text=str(n))
    last = len(site.scene.room.events)

    assert [seq for seq, _ in ann.events(until=last, after=last - 2)] == [last - 1, last]
    assert [seq for seq, _ in ann.events(until=last, **{"last-event-id": str(last - 1)})] == [last]


def test_the_same_stream_over_a_websocket_with_the_token_alone(site: Site):
    ann = site.joined("Ann", "commander")
    url = site.address.replace("http", "ws") + f"/api/v1{ann.place}/events?resume_from=1"

    with connect(url, additional_headers={"authorization": f"Bearer {ann.token}"}) as socket:
        clock, joined, started = (json.loads(socket.recv(5)) for _ in range(3))
        ann.do("chat", text="hello")
        told = json.loads(socket.recv(5))
        while told["kind"] == "clock":
            told = json.loads(socket.recv(5))

    assert clock["kind"] == "clock"
    assert [e["kind"] for e in (joined, started, told)] == ["joined", "started", "chatted"]
    with connect(f"{url}&token=nonsense") as socket:
        assert json.loads(socket.recv(5))["code"] == "ROOM-004"


def test_a_quiet_stream_tells_the_time(site: Site):
    ann = site.joined("Ann", "commander")

    with ann.client.stream("GET", f"{ann.place}/events", params={"resume_from": 99}) as stream:
        lines = stream.iter_lines()
        heads = [next(lines) for _ in range(6)]

    assert heads[0] == heads[3] == "event: clock"
    assert json.loads(heads[1].removeprefix("data: "))["phase"] == "running"


def test_cookie_and_token_are_alike_and_nothing_else_is(site: Site):
    ann = site.joined("Ann", "commander")
    by_token = site.client(authorization=f"Bearer {ann.token}").get(f"{ann.place}/state")
    stranger = site.client()

    assert by_token.json()["me"] == ann.state()["me"]
    problem(stranger.get(f"{ann.place}/state"), 401, "ROOM-004")
    for token in ("x", "x.y", ann.token[:-2], ann.token.replace(".", "A."), "." * 400, "é"):
        headers = {b"authorization": b"Bearer " + token.encode()}
        problem(stranger.get(f"{ann.place}/state", headers=headers), 401, "ROOM-004")
    problem(stranger.get(f"{ann.place}/events"), 401, "ROOM-004")
    site.hands[0] += 13 * 3600
    assert "expired" in problem(ann.client.get(f"{ann.place}/state"), 401, "ROOM-004")["seen"]


def test_who_has_left_sees_nothing_more(site: Site):
    ann = site.joined("Ann", "commander")
    ann.do("leave")

    problem(ann.client.get(f"{ann.place}/state"), 401, "ROOM-004")
    problem(ann.client.get(f"{ann.place}/events"), 401, "ROOM-004")
    assert site.joined("Ann", "commander").participant != ann.participant


def test_the_instructor_sees_the_truth_and_runs_the_room(site: Site):
    ann, instructor = site.joined("Ann", "commander"), site.instructor()

    assert instructor.do("pause").status_code == 200
    problem(ann.do("act", action="restart service=stream"), 409, "ROOM-003")
    instructor.do("inject", sender="the press", text="is it true?")
    noted = instructor.do("note", text="they wait").json()["seq"]
    assert instructor.do("start").status_code == 200

    assert instructor.state()["truth"]["truth"]["causes"][0]["mechanism"] == "stream-lag"
    assert ann.state()["messages"][0]["sender"] == "the press"
    seen = [seq for seq, _ in ann.events(until=noted + 1)]
    assert noted not in seen
    assert noted + 1 in seen
    assert [line["code"] for line in instructor.client.get("/instructor/rooms").json()] == [site.code]


def test_the_instructors_calls_are_for_the_instructor(site: Site):
    ann = site.joined("Ann", "commander")
    paths = ["/instructor/rooms", f"/instructor/rooms/{site.code}/state", f"/instructor/rooms/{site.code}/events"]
    paths += [
        "/instructor/view",
        "/instructor/faults",
        "/instructor/inject-sets",
        f"/instructor/rooms/{site.code}/harm",
    ]
    for path in paths:
        problem(ann.client.get(path), 401, "ROOM-004")
        problem(site.client(authorization=f"Bearer {ann.token}").get(path), 401, "ROOM-004")
    problem(site.client().post(f"/instructor/rooms/{site.code}/commands", json={"kind": "end"}), 401, "ROOM-004")
    problem(ann.do("note", text="x"), 403, "ROOM-002")

    guesses = [site.client().get("/instructor/rooms?secret=x").status_code for _ in range(40)]
    assert set(guesses) == {401, 429}


def test_bad_input_is_a_problem_and_the_room_goes_on(site: Site):
    ann = site.joined("Ann", "scribe")
    at = f"{ann.place}/commands"
    problem(site.client().post("/rooms/NOROOM/join", json={"name": "x", "role": "scribe"}), 404, "ROOM-001")
    problem(site.client().post(f"/rooms/{site.code}/join", json={"name": "Bob", "role": "scribe"}), 409, "ROOM-007")
    problem(site.client().post(f"/rooms/{site.code}/join", json={"name": "Bob", "role": "instructor"}), 400, "ROOM-006")
    problem(ann.do("act", action="restart service=stream"), 403, "ROOM-002")
    problem(ann.do("start"), 403, "ROOM-002")
    problem(ann.do("no-such-thing"), 400, "ROOM-006")
    problem(ann.client.post(at, content=b"{", headers={"content-type": "application/json"}), 400, "ROOM-006")
    problem(ann.client.post(at, content=b"\xff\x00", headers={"content-type": "application/json"}), 400, "ROOM-006")
    problem(ann.client.get("/nothing/here"), 404, "WIRE-003")
    problem(ann.client.delete(at), 405, "WIRE-003")
    problem(ann.client.get(f"{ann.place}/events?resume_from=-1"), 400, "ROOM-006")
    problem(ann.do("ask", sql="wrong"), 400, "LAKE-004")
    deep = json.loads("[" * 200 + "]" * 200)
    problem(ann.do("report_field", field="score", value=deep), 400, "ROOM-006")

    assert ann.do("chat", text="still here").status_code == 200


def test_ten_megabytes_are_refused_before_they_are_read(site: Site):
    ann = site.joined("Ann", "commander")
    connection = http.client.HTTPConnection(site.address.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", f"/api/v1{ann.place}/commands")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(10_000_000))
    connection.endheaders()  # nothing of it is sent

    answer = connection.getresponse()

    assert (answer.status, json.loads(answer.read())["code"]) == (413, "ROOM-005")
    connection.close()

    def pieces():
        for _ in range(200):
            yield b"x" * 1_000

    unannounced = ann.client.post(f"{ann.place}/commands", content=pieces())
    assert unannounced.status_code == 413
    assert ann.do("chat", text="still here").status_code == 200


def test_a_flood_of_joins_is_held_off_and_those_inside_go_on(site: Site):
    ann, client = site.joined("Ann", "commander"), site.client()
    answers = [
        client.post(f"/rooms/{site.code}/join", json={"name": f"n{n}", "role": "operations"}) for n in range(120)
    ]

    assert [answer.status_code for answer in answers] == [200] * 59 + [429] * 61, "59 and Ann are 60 at once"
    problem(answers[-1], 429, "ROOM-005")
    site.hands[0] += 1.0
    assert client.post(f"/rooms/{site.code}/join", json={"name": "late", "role": "operations"}).status_code == 200
    assert ann.do("chat", text="still here").status_code == 200


def test_a_page_of_another_origin_can_do_nothing_with_somebodys_cookie(site: Site):
    ann = site.joined("Ann", "commander")
    command = {"kind": "chat", "text": "x"}
    elsewhere = ann.client.post(f"{ann.place}/commands", json=command, headers={"origin": "http://evil.example"})
    here = ann.client.post(f"{ann.place}/commands", json=command, headers={"origin": site.address})
    url = site.address.replace("http", "ws") + f"/api/v1{ann.place}/events"

    problem(elsewhere, 403, "ROOM-004")
    assert here.status_code == 200
    with pytest.raises(Exception, match="403"), connect(url, origin="http://evil.example"):
        pass


def test_what_nobody_foresaw_tells_nothing_of_the_inside(site: Site, monkeypatch):
    ann = site.joined("Ann", "commander")
    monkeypatch.setattr(site.scene.desk, "preview", lambda _: 1 / 0)

    told = problem(ann.do("preview", action="x"), 500, "RUN-008")

    assert "division" not in json.dumps(told)
    assert ann.do("chat", text="still here").status_code == 200


def test_one_participant_has_only_so_many_streams(site: Site):
    ann = site.joined("Ann", "commander")
    url = site.address.replace("http", "ws") + f"/api/v1{ann.place}/events?token={ann.token}"
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(url)) for _ in range(9)]
        first, *_, last = [json.loads(socket.recv(5)) for socket in sockets]

    assert first["kind"] == "clock"
    assert last["code"] == "ROOM-005"


def test_the_openapi_document_names_every_call_and_every_command(site: Site):
    document = site.client().get("/openapi.json").json()

    assert {path.removeprefix("/api/v1") for path in document["paths"]} == {
        "/rooms/{code}/join", "/rooms/{code}/state", "/rooms/{code}/commands", "/rooms/{code}/events",
        "/instructor/rooms", "/instructor/rooms/{code}/state", "/instructor/rooms/{code}/commands",
        "/instructor/rooms/{code}/events", "/rooms/{code}/overview", "/instructor/rooms/{code}/overview", "/words",
        "/rooms/{code}/debrief", "/instructor/rooms/{code}/debrief",
        "/instructor/view", "/instructor/faults", "/instructor/inject-sets", "/instructor/rooms/{code}/harm",
        "/rooms/{code}/replay", "/rooms/{code}/replay/moment", "/instructor/replays", "/instructor/replays/{name}",
        "/instructor/library", "/instructor/library/{name}", "/instructor/library/{name}/source", "/instructor/check",
        "/instructor/check/{ticket}",
        "/instructor/draft", "/instructor/authors-words", "/instructor/jobs", "/instructor/jobs/{job}",
        "/instructor/replays/{name}/moment", "/instructor/results", "/instructor/results.csv",
        "/instructor/replays/{name}/signals", "/rooms/{code}/replay/signals",
        "/instructor/replays/{name}/then", "/rooms/{code}/replay/then",
        "/rooms/{code}/failures", "/instructor/rooms/{code}/failures",
    } | {f"{whose}/rooms/{{code}}/{panel}" for whose in ("", "/instructor") for panel in PANELS} | {
        f"{whose}/{panel}" for whose in ("/rooms/{code}/replay", "/instructor/replays/{name}") for panel in PANELS
    }  # fmt: skip
    body = document["paths"]["/api/v1/rooms/{code}/commands"]["post"]["requestBody"]["content"]["application/json"]
    assert {"chat", "ask", "act", "file_report"} <= set(body["schema"]["discriminator"]["mapping"])


def test_the_page_of_the_api_is_the_one_that_is_in_force():
    assert DOCS.read_text() == page(), "make docs"


def test_the_document_names_the_refusals_that_come_and_no_others(site: Site):
    document = site.client().get("/openapi.json").json()
    answers = [call["responses"] for calls in document["paths"].values() for call in calls.values()]

    assert all("422" not in answer for answer in answers)
    assert all("application/problem+json" in answer["default"]["content"] for answer in answers)
    told = problem(site.client().get("/rooms/NOROOM/state"), 404, "ROOM-001")
    assert set(told) == set(document["components"]["schemas"]["Problem"]["properties"])
