"""Scenarios by program: for the instructor alone, bounded, and a room that is opened is served like the others."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.authoring import opening
from sandbox.room.room import Room
from sandbox.warroom import library as calls
from sandbox.warroom.rooms import Served
from sandbox.warroom.serve import keeping
from sandbox.warroom.settings import Secrets
from tests.services.waiting import wait_for
from tests.unit.room.desk import scene
from tests.unit.warroom.conftest import SECRET, Site
from tests.unit.warroom.test_api import problem

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "library", None), ("GET", "library/slow-home", None), ("GET", "library/slow-home/source", None),
    ("PUT", "library/mine/source", {"text": "id: mine", "base": None}), ("GET", "authors-words", None),
    ("POST", "check", {"name": "mine", "text": "id: mine"}), ("POST", "draft", {"name": "mine", "source": "slow-home"}),
    ("DELETE", "check/t1", None), ("GET", "jobs", None), ("GET", "jobs/1", None), ("DELETE", "jobs/1", None),
    ("POST", "jobs", {"kind": "prove", "scenario": "slow-home"}), ("POST", "rooms", {"scenario": "slow-home"}),
]  # fmt: skip
CHECKED = {"ok": False, "findings": [], "picture": None}


@pytest.fixture
def client(site: Site, monkeypatch) -> httpx.Client:
    """The instructor's; no process is started for what is asked."""
    monkeypatch.setattr("sandbox.room.authoring.reader.Reader.ask", lambda _self, _do, **_fields: CHECKED)
    return site.instructor().client


def test_every_call_is_the_instructors_alone(site: Site):
    ann = site.joined("Ann", "commander")

    for method, path, body in CALLS:
        site.hands[0] += 10  # else it is too many guesses
        told = problem(ann.client.request(method, f"/instructor/{path}", json=body), 401, "ROOM-004")
        assert "slow" not in told["detail"], "nothing of a scenario is in the refusal"
        headers = {"authorization": f"Bearer {ann.token}"}
        problem(site.client().request(method, f"/instructor/{path}", json=body, headers=headers), 401, "ROOM-004")


def test_a_save_is_refused_over_a_version_that_was_not_opened(site: Site, client: httpx.Client):
    first = client.put("/instructor/library/mine/source", json={"text": "a\n", "base": None})
    source = client.get("/instructor/library/mine/source").json()

    assert first.json()["version"] == source["version"]
    assert (source["text"], source["own"]) == ("a\n", True)
    told = problem(client.put("/instructor/library/mine/source", json={"text": "b\n", "base": None}), 409, "ROOM-007")
    assert "kept" in told["fix"]
    problem(client.put("/instructor/library/slow-home/source", json={"text": "b\n", "base": None}), 409, "ROOM-007")
    assert client.get("/instructor/library/mine/source").json() == source


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "library/X/source", {"text": "a", "base": None}),
        ("PUT", "library/..%2Fx/source", {"text": "a", "base": None}),
        ("PUT", "library/mine/source", {"text": "a"}),
        ("PUT", "library/mine/source", {"text": "x" * 100_001, "base": None}),
        ("POST", "check", {"name": "../x", "text": "a"}),
        ("POST", "draft", {"name": "mine"}),
        ("POST", "draft", {"name": "mine", "source": "slow-home", "fault": "rpc-edge-latency"}),
        ("POST", "jobs", {"kind": "rm", "scenario": "slow-home"}),
        ("POST", "jobs", {"kind": "prove", "scenario": "../x"}),
        ("POST", "rooms", {"scenario": "slow-home.yaml"}),
        ("POST", "rooms", {"scenario": "slow-home", "backend": "cloud"}),
        ("POST", "rooms", {"scenario": "slow-home", "world": "../x"}),
        ("POST", "rooms", {"scenario": "slow-home", "seed": -1}),
        ("GET", "authors-words?world=../x", None),
        ("GET", "jobs/x", None),
    ],
)
def test_what_is_malformed_is_refused(method: str, path: str, body: Any, client: httpx.Client):
    answer = client.request(method, f"/instructor/{path}", json=body)

    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["code"] in ("ROOM-006", "WIRE-003")


def test_a_file_of_50_mb_is_refused_before_it_is_read(site: Site, client: httpx.Client):
    connection = http.client.HTTPConnection(site.address.removeprefix("http://"), timeout=10)
    connection.putrequest("PUT", "/api/v1/instructor/library/mine/source")
    connection.putheader("authorization", f"Bearer {SECRET}")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(50 * 2**20))
    connection.endheaders(b"{")
    answer = connection.getresponse()

    assert (answer.status, json.loads(answer.read())["code"]) == (413, "ROOM-005")
    connection.close()
    problem(client.post("/instructor/check", json={"name": "mine", "text": "x" * 131_072}), 413, "ROOM-005")
    assert site.joined("Ann", "commander").do("chat", text="the room goes on").status_code == 200


def test_nobody_asks_about_scenarios_without_end(client: httpx.Client):
    answers = [client.get("/instructor/jobs") for _ in range(61)]

    assert answers[0].json() == []
    problem(answers[-1], 429, "ROOM-005")


def test_a_job_needs_a_scenario_that_there_is(client: httpx.Client):
    problem(client.post("/instructor/jobs", json={"kind": "prove", "scenario": "slow-hom"}), 404, "DRILL-001")
    problem(client.delete("/instructor/jobs/3"), 404, "ROOM-009")


def another(place: Path, code: str) -> Room:
    place.mkdir()
    room = scene(place).room
    room.code = code
    return room


def test_a_room_that_is_opened_is_joined_like_the_others(site: Site, client: httpx.Client, tmp_path: Path, monkeypatch):
    asked: list[dict[str, Any]] = []

    def opened(name: str, backend: str, **options: Any) -> Room:
        asked.append({"name": name, "backend": backend, **options})
        return another(tmp_path / "second", "SECOND")

    monkeypatch.setattr(calls, "opened", opened)
    line = client.post("/instructor/rooms", json={"scenario": "slow-home", "held": True, "world": "tiny"}).json()

    assert line["code"] == "SECOND"
    assert asked == [
        {"name": "slow-home", "backend": "virtual", "held": True, "world": "tiny", "seed": None, "twin": True}
    ]
    assert [room["code"] for room in client.get("/instructor/rooms").json()] == [site.code, "SECOND"]
    assert client.post("/rooms/SECOND/join", json={"name": "Ann", "role": "commander"}).status_code == 200


def test_virtual_rooms_are_opened_side_by_side_and_count_while_they_are(
    site: Site, client: httpx.Client, tmp_path: Path, monkeypatch
):
    """Two at once on two cores; live ones one after the other, and none beyond what the server holds."""
    both, codes = threading.Barrier(2), iter(f"ROOM{n}" for n in range(30))

    def opened(*_args: Any, **_options: Any) -> Room:
        both.wait(20)  # passed only where two are opened at once
        return another(tmp_path / (code := next(codes)), code)

    served = site.served
    monkeypatch.setattr(calls, "opened", opened)
    monkeypatch.setitem(served.opening, "virtual", anyio.CapacityLimiter(2))
    served.settings = replace(served.settings, rooms=3)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(client.post, "/instructor/rooms", json={"scenario": "slow-home"}) for _ in range(2)]
        answers = [one.result(30) for one in asked]

    assert [answer.status_code for answer in answers] == [200, 200]
    problem(client.post("/instructor/rooms", json={"scenario": "slow-home"}), 429, "ROOM-005")
    assert served.opening["live"].total_tokens == 1


def test_a_server_holds_only_so_many_rooms(site: Site, client: httpx.Client, tmp_path: Path, monkeypatch):
    codes = iter(f"ROOM{n}" for n in range(30))
    monkeypatch.setattr(calls, "opened", lambda *_args, **_options: another(tmp_path / (code := next(codes)), code))

    answers = [client.post("/instructor/rooms", json={"scenario": "slow-home"}) for _ in range(20)]

    assert [answer.status_code for answer in answers] == [200] * 19 + [429]
    assert problem(answers[-1], 429, "ROOM-005")["seen"] == "20 rooms"


def test_a_room_that_is_added_ticks_and_is_closed_with_the_server(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    (tmp_path / "first").mkdir()
    first, second = scene(tmp_path / "first"), None
    served = Served([first.room], Secrets(b"k" * 32, "secret"))
    with keeping(served):
        (tmp_path / "second").mkdir()
        second = scene(tmp_path / "second")
        second.room.code = "SECOND"
        second.join("Ann", "commander")
        served.add(second.room)
        wait_for(
            lambda: second.hands.__setitem__(0, second.hands[0] + 1) or second.room.now() > second.desk.began_ts, 10
        )

    assert first.desk.closed
    assert second.desk.closed
    assert list(served.rooms) == [first.room.code, "SECOND"]


def test_a_live_room_says_why_not_where_a_stack_is_up(monkeypatch):
    class Up:
        run_dir = Path("/somewhere/room-ABCDEF")

    monkeypatch.setattr(opening.Stack, "running", staticmethod(lambda: [Up()]))

    with pytest.raises(SandboxError) as told:
        opening.opened("slow-home", "live", world=None, seed=None, held=False, twin=True)

    assert told.value.kind.code == "RUN-009"
    assert told.value.seen == "a stack that is up: room-ABCDEF"


def test_a_world_that_would_have_to_be_built_first_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))

    with pytest.raises(SandboxError) as told:
        opening.opened("slow-home", "virtual", world=None, seed=None, held=False, twin=True)

    assert told.value.kind.code == "WORLD-001"


def test_where_failures_commonly_occur_is_told_only_while_it_is_shown(site: Site):
    ann, instructor = site.joined("Ann", "commander"), site.instructor()

    problem(ann.client.get(f"{ann.place}/failures"), 409, "ROOM-003")
    problem(ann.do("show_failures", on=True), 403, "ROOM-002")
    assert instructor.do("show_failures", on=True).status_code == 200
    shown = ann.client.get(f"{ann.place}/failures").json()

    assert shown == instructor.client.get(f"{instructor.place}/failures").json()
    assert shown["at"]["gateway->features"]
    ann.do("leave")
    problem(ann.client.get(f"{ann.place}/failures"), 401, "ROOM-004")
