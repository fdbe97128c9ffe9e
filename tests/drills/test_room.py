"""Rooms on real drills: a server that is killed and comes back, and every byte that a trainee receives, searched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
from websockets.sync.client import connect

from sandbox.base.schema import TABLES
from sandbox.drill.play.virtual_desk import VirtualDesk
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Load
from sandbox.room import house
from sandbox.room.apart.desk import BACK, ENDED
from sandbox.room.commands import parsed
from sandbox.room.events import INSTRUCTOR
from sandbox.room.kept import kept
from sandbox.room.panels.measures import BOARDS
from sandbox.room.room import Room
from sandbox.room.twists.catalogue import armable
from sandbox.warroom.app import application
from sandbox.warroom.rooms import Served
from sandbox.warroom.serve import bind
from sandbox.warroom.settings import Rate, Secrets, Settings
from tests.services.ctrl_c import heard
from tests.services.waiting import wait_for
from tests.unit.drill.telltales import found_in

pytestmark = pytest.mark.timeout(300)
LITTLE = Load(rate_per_s=1.0)
SLOW = {"do": "arm", "fault": "rpc-edge-latency", "target": "gateway->rules", "params": {"delay_ms": 30}}
EASY = Rate(1_000.0, 1_000)


@pytest.fixture
def own_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SANDBOX_HOME with the world of all tests and rooms of its own."""
    place = tmp_path / "home"
    place.mkdir()
    (place / "worlds").symlink_to(home / "worlds")
    monkeypatch.setenv("SANDBOX_HOME", str(place))
    return place


@contextmanager
def started(port: int) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`sandbox room start` as a process of its own, and the document that it prints."""
    command = [sys.executable, "-m", "sandbox.cli.app", "room", "start", "slow-home", "--world", "tiny", "--no-twin"]
    process = subprocess.Popen(
        [*command, "--backend", "virtual", "--port", str(port), "--json"], stdout=subprocess.PIPE, text=True,
        start_new_session=True, env=os.environ.copy(), preexec_fn=heard,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"it ended with {process.wait(10)}"
        yield process, json.loads(line)
    finally:
        process.kill()
        process.wait(30)


def below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether they have all ended; one that nobody has waited for has, too."""
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def instructors(told: dict[str, Any], call: str, **options: Any) -> dict[str, Any]:
    """A command of the instructor's, or their state."""
    secret = told["instructor_url"].partition("secret=")[2]
    at = f"{told['address']}/api/v1/instructor/rooms/{told['rooms'][0]['code']}/{'state' if call == 'get' else 'commands'}"
    answer = httpx.request(call, at, headers={"authorization": f"Bearer {secret}"}, timeout=60, **options)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def do(client: httpx.Client, code: str, kind: str, **fields: Any) -> int:
    answer = client.post(f"/rooms/{code}/commands", json={"kind": kind, **fields})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["seq"])


def test_a_server_killed_in_the_middle_comes_back_with_its_room(own_home: Path):
    """Two join, talk, ask, act; then the process is gone, and what it had started with it. Started again, tokens hold,
    nothing acknowledged is lost, and the world is where it was; the same when the world's own process is killed."""
    with started(0) as (process, told):
        address, code = told["address"], told["rooms"][0]["code"]
        assert told["rooms"] == [{"code": code, "scenario": "slow-home", "backend": "virtual"}]
        people = [httpx.Client(base_url=f"{address}/api/v1", timeout=60) for _ in range(2)]
        for client, name, role in zip(people, ("Ann", "Bob"), ("commander", "data_analyst"), strict=True):
            assert client.post(f"/rooms/{code}/join", json={"name": name, "role": role}).status_code == 200
        ann, bob = people
        do(ann, code, "chat", text="who looks at the model?")
        do(bob, code, "ask", sql="SELECT count(*) FROM requests")
        do(bob, code, "recommend", user=3)
        done = do(ann, code, "act", action="restart service=features", id="once")
        twist = {"kind": "twist", "id": "hand", "does": SLOW}
        hand = instructors(told, "post", json=twist)["seq"]
        plan = {"kind": "inject_plan", "sender": "x", "text": "after", "after": "started", "wait_s": 600}
        instructors(told, "post", json=plan)
        before = bob.get(f"/rooms/{code}/state").json()
        left = below(process)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert len(left) >= 3, "where worlds come from, the world, its console"
        wait_for(lambda: gone(left), within_s=10)

    with started(int(address.rpartition(":")[2])) as (process, told):
        assert told["address"] == address
        assert [room["code"] for room in told["rooms"]] == [code]
        after = bob.get(f"/rooms/{code}/state").json()
        again = do(ann, code, "act", action="restart service=features", id="once")
        hand_again = instructors(told, "post", json=twist)["seq"]
        on = instructors(told, "get")["armed"]
        gone_on = wait_for(
            lambda: bob.get(f"/rooms/{code}/state").json()["room"]["world_ts"] > before["room"]["world_ts"]
        )
        rows = do(bob, code, "ask", sql="SELECT count(*) AS n FROM changes WHERE actor = 'operator'")
        max(below(process), key=lambda p: "apart.nursery" in " ".join(p.cmdline()) and p.ppid() != process.pid).kill()
        said = wait_for(
            lambda: [m["text"] for m in bob.get(f"/rooms/{code}/state").json()["messages"]][-2:] == [ENDED, BACK]
        )
        do(bob, code, "recommend", user=3)
        listed = json.loads(sandbox("room", "list", "--json"))
        left = below(process)
        sandbox("room", "end", code, "--json")
        ended = bob.get(f"/rooms/{code}/state").json()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert gone(left)

    exported = json.loads(sandbox("room", "export", code, "--json"))
    for part in ("messages", "actions", "queries", "participants", "me", "page"):
        assert after[part] == before[part], part
    assert after["room"]["world_ts"] >= before["room"]["world_ts"]
    assert gone_on
    assert said
    assert again == done
    assert hand_again == hand
    assert [(armed["name"], armed["fault"]) for armed in on] == [("h1", SLOW["fault"])]
    kinds = [event["kind"] for event in (e["what"] for e in exported["events"])]
    assert kinds.count("fault_armed") == 1
    assert next(e for e in exported["events"] if e["seq"] == rows)["what"]["rows"] == [[1]]
    assert [(row["code"], row["phase"]) for row in listed] == [(code, "running")]
    assert ended["room"]["phase"] in ("over", "debrief")
    assert [e["seq"] for e in exported["events"]] == list(range(1, len(exported["events"]) + 1))
    for client in people:
        client.close()


def sandbox(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "sandbox.cli.app", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_world_that_is_killed_while_it_moves_comes_about_again(own_home: Path, monkeypatch):
    """Its engine has written of a step of the timeline by then; what was to move it there must stand written too."""

    class KilledError(BaseException):
        pass

    desk = VirtualDesk.start(library.named("slow-home").model_copy(update={"load": LITTLE}), "tiny")
    began, advance = desk.began_ts, desk.run.advance

    def killed(until_ts: float) -> None:
        advance(until_ts)
        raise KilledError

    monkeypatch.setattr(desk.run, "advance", killed)
    with pytest.raises(KilledError):
        desk.wait(began + desk.drill.scenario.timeline[0].at_s + 60)
    steps = [entry.what for entry in desk.drill.entries()]
    desk.close()

    with VirtualDesk.resume(desk.drill) as again:
        assert "step" in steps
        assert [entry.what for entry in again.drill.entries()] == steps
        assert again.now() >= desk.now()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slow-home", "half-as-keen"])
def test_nothing_that_a_trainee_receives_tells_the_truth(name: str, own_home: Path):
    """A whole drill up to the page and past the last step of its timeline, at ten times the pace, by a commander who tries
    everything: each byte over HTTP, stream and socket is kept, and searched for the scenario's words and texts."""
    scenario = library.named(name).model_copy(update={"load": LITTLE})
    room = house.open_room(scenario, "virtual", world="tiny", twin=False)
    secrets, settings = Secrets(b"k" * 32, "instructor"), Settings(commands=EASY, reads=EASY, panels=EASY)
    bound = bind("127.0.0.1", 0, False)
    server = uvicorn.Server(
        uvicorn.Config(application(Served([room], secrets, settings)), log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.listening]}, daemon=True)
    thread.start()
    got = bytearray()
    placed = room.drill.scenario
    last_s = max(placed.pager.at_s, *(step.at_s for step in placed.timeline)) + 60.0
    try:
        with kept(room), trainee(bound.address, room.code, got) as client:
            wait_for(lambda: server.started, within_s=10)
            boss = httpx.post(
                f"{bound.address}/api/v1/instructor/rooms/{room.code}/commands", json={"kind": "speed", "factor": 10},
                headers={"authorization": "Bearer instructor"},
            )  # fmt: skip
            assert boss.status_code == 200
            _twist(room)
            wait_for(lambda: room.now() >= room.drill.began() + last_s, within_s=120, what="the end of the timeline")
            _try_everything(client, room.code, bound.address, got)
            room.submit("instructor", parsed({"kind": "show_failures", "on": True}))
            assert client.get(f"/rooms/{room.code}/failures").json()["at"]
            assert room.shared.page is not None
            twisted = [e.kind for e in room.events]
            instructors = json.dumps(room.state("instructor")).encode()
            before = bytes(got)
            do(client, room.code, "file_report", report={"incident": False, "notes": "no idea"})
            wait_for(lambda: room.shared.grade is not None, within_s=60, what="the debrief")
            debrief = client.get(f"/rooms/{room.code}/state").json()
    finally:
        server.should_exit = True
        thread.join(10)
        room.close()
        bound.listening.close()

    assert len(before) > 20_000
    assert found_in(before, placed) == []
    assert {"fault_armed", "colleague_reverted", "herring_planted", "status_pressed"} <= set(twisted)
    for word in (b"rpc-abort-slice", b"zz-", b"restless-management"):
        assert word not in before, word
    assert b"where do we stand?" in before
    assert found_in(instructors, placed) != []
    assert debrief["room"]["phase"] == "debrief"
    assert debrief["grade"]["truth"]["id"] == name, "now it is nobody's secret"


def _twist(room: Room) -> None:
    """The instructor's hand, in everything that it can do. Only what it is meant to show may be seen."""

    def twist(**does: Any) -> None:
        room.submit(INSTRUCTOR, parsed({"kind": "twist", "does": does}))

    armed = next(one.example for one in armable() if one.name == "rpc-abort-slice")
    assert armed is not None
    twist(do="arm", **armed)
    twist(do="ask_status", sender="your boss", text="where do we stand?", within_s=300, press="well?")
    twist(do="herring", sender="dana", text="was it me?", change={"target": "rules", "key": "comment", "new": "x"})
    for plan in (
        {"does": {"do": "revert", "colleague": "robin"}, "after": "acted", "after_like": "breaker*"},
        {"does": {"do": "revert", "colleague": "zz-colleague", "change": 99}},
        {"sender": "zz-nobody", "text": "zz-never", "after": None},
    ):
        room.submit(INSTRUCTOR, parsed({"kind": "inject_plan", **plan}))
    room.submit(INSTRUCTOR, parsed({"kind": "inject_set", "set": "restless-management"}))
    twist(do="disarm", of="rpc-abort-slice")


@contextmanager
def trainee(address: str, code: str, got: bytearray) -> Iterator[httpx.Client]:
    """A commander's client that keeps all that it receives."""

    def keep(response: httpx.Response) -> None:
        got.extend(str(response.headers).encode() + response.read())

    with httpx.Client(base_url=f"{address}/api/v1", timeout=60, event_hooks={"response": [keep]}) as client:
        assert client.post(f"/rooms/{code}/join", json={"name": "Ann", "role": "commander"}).status_code == 200
        yield client


def _look_into_every_panel(client: httpx.Client, code: str) -> None:
    """Each over the whole day, with what is in its lists, and what is refused; looks that are too many are looked again."""

    def get(path: str) -> httpx.Response:
        answers: list[httpx.Response] = []

        def answered() -> bool:
            answers.append(client.get(f"/rooms/{code}/{path}"))
            return answers[-1].status_code != 429

        wait_for(answered, within_s=60, what=path)
        return answers[-1]

    day = "minutes=1440"
    listed = get(f"slates?in_full=true&{day}").json()["slates"]
    assert listed, "some requests are explained in full"
    for path in (
        *(f"traces?order={order}&{day}" for order in ("slowest", "failed", "latest")), "traces/slowest?against=usual",
        f"slates?{day}", *(f"slates/{line['request']}" for line in listed[:3]), f"users/{listed[0]['user']}", "items/1",
        f"logs?{day}", f"logs/patterns?{day}", *(f"dashboards/{board}?{day}" for board in BOARDS),
        "dashboards/quality?by=region&earlier=60",
    ):  # fmt: skip
        assert get(path).status_code == 200, path
    for path in ("traces/nobody", "users/99999999", "dashboards/truth", "dashboards/quality?by=fault"):
        assert get(path).status_code in (400, 404), path


def _try_everything(client: httpx.Client, code: str, address: str, got: bytearray) -> None:
    """What answers, and what is refused: errors tell something too."""

    def command(kind: str, **fields: Any) -> None:
        client.post(f"/rooms/{code}/commands", json={"kind": kind, **fields})

    for table in TABLES:
        command(
            "ask", sql=f"SELECT * FROM {table} ORDER BY ts DESC" if "ts" in TABLES[table].names else f"FROM {table}"
        )
    for sql in (
        "nonsense",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('**')",
        "FROM duckdb_settings()",
    ):
        command("ask", sql=sql)
    for action in ("restart service=gateway", "restart service=nobody", "revert change=1", "disarm everything"):
        command("preview", action=action)
    command("act", action="restart service=rules")
    command("act", action="breaker caller=gateway callee=rules switch=on open_s=10")
    command("revert", change=99)
    command("status_update", text="we look")
    command("twist", does={"do": "arm", "fault": "rules-fail-open", "target": "gateway"})
    command("inject_fire", inject=3)
    command("inject_set", set="second-front")
    command("recommend", user=3)
    command("recommend", user=10**9)
    command("file_report", report={"incident": True})
    command("note", text="may I?")
    command("step_to", event=1)
    for path in (
        "state", "overview", "debrief", "nothing", "../../instructor/rooms", "replay", "replay/moment?seq=5", "replay/then?seq=5",
        "replay/stack?seq=5", "replay/dashboards/requests?seq=5", "replay/traces?seq=5",
    ):  # fmt: skip
        client.get(f"/rooms/{code}/{path}")
    for path in (
        "/openapi.json", "/instructor/rooms", f"/instructor/rooms/{code}/state", "/instructor/view", "/instructor/faults",
        "/instructor/inject-sets", f"/instructor/rooms/{code}/harm", "/instructor/replays", f"/instructor/replays/{code}",
        f"/instructor/replays/{code}/moment?seq=5", f"/instructor/replays/{code}/then?seq=5",
        f"/instructor/replays/{code}/dashboards/requests?seq=5", "/instructor/results", "/instructor/results.csv",
    ):  # fmt: skip
        client.get(path)
    _look_into_every_panel(client, code)
    for path in ("library", "library/slow-home", "library/slow-home/source", "authors-words", "jobs", "jobs/1"):
        client.get(f"/instructor/{path}")
    client.get(f"/rooms/{code}/failures")
    client.post("/instructor/check", json={"name": "slow-home", "text": "id: slow-home"})
    client.post("/instructor/draft", json={"name": "my-own", "source": "slow-home"})
    client.post("/instructor/jobs", json={"kind": "dry_run", "scenario": "slow-home"})
    client.post("/instructor/rooms", json={"scenario": "slow-home"})
    client.put("/instructor/library/my-own/source", json={"text": "id: my-own", "base": None})
    token = client.cookies[f"sandbox_room_{code}"]
    with connect(f"{address.replace('http', 'ws')}/api/v1/rooms/{code}/events?token={token}", max_size=None) as socket:
        seq = 0
        socket.send("watch")
        upto = client.get(f"/rooms/{code}/state").json()["seq"]
        while seq < upto:
            text = socket.recv(10)
            got.extend(text.encode())
            told = json.loads(text)
            seq = max(seq, told["seq"] if told["kind"] not in ("clock", "overview") else 0)
