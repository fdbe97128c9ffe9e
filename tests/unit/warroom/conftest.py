"""A server on a real socket, with one room on a stand-in desk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox.warroom.app import application
from sandbox.warroom.rooms import Served
from sandbox.warroom.serve import bind
from sandbox.warroom.settings import Secrets
from tests.services.waiting import wait_for
from tests.unit.room.desk import Scene, scene

SECRET = "the instructor's own"


@dataclass
class Site:
    """A server, what it holds, its one room, and the wall clock that its tokens and rates go by, which is turned by hand."""

    scene: Scene
    served: Served
    address: str
    hands: list[float]
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def code(self) -> str:
        return self.scene.room.code

    def client(self, **headers: str) -> httpx.Client:
        client = httpx.Client(base_url=f"{self.address}/api/v1", timeout=20, headers=headers)
        self.clients.append(client)
        return client

    def joined(self, name: str, role: str) -> Caller:
        client = self.client()
        answer = client.post(f"/rooms/{self.code}/join", json={"name": name, "role": role})
        assert answer.status_code == 200, answer.text
        return Caller(client, f"/rooms/{self.code}", **answer.json())

    def instructor(self) -> Caller:
        client = self.client(authorization=f"Bearer {SECRET}")
        return Caller(client, f"/instructor/rooms/{self.code}", "instructor", SECRET)


@dataclass
class Caller:
    """Somebody in the room, with their cookie."""

    client: httpx.Client
    place: str
    participant: str
    token: str

    def do(self, kind: str, **fields: Any) -> httpx.Response:
        return self.client.post(f"{self.place}/commands", json={"kind": kind, **fields})

    def state(self) -> dict[str, Any]:
        answer = self.client.get(f"{self.place}/state")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self, until: int, after: int = 0, **headers: str) -> list[tuple[int, str]]:
        """(id, event) of the stream, up to that number."""
        found: list[tuple[int, str]] = []
        seq = None
        with self.client.stream(
            "GET", f"{self.place}/events", params={"resume_from": after}, headers=headers
        ) as stream:
            for line in stream.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    seq = int(value)
                elif name == "event" and seq is not None:
                    found.append((seq, value))
                elif not line:
                    if seq is not None and seq >= until:
                        break
                    seq = None
        return found


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    made, hands = scene(tmp_path), [1_000.0]
    served = Served([made.room], Secrets(b"k" * 32, SECRET), wall=lambda: hands[0], clock=lambda: hands[0])
    bound = bind("127.0.0.1", 0, False)
    server = uvicorn.Server(uvicorn.Config(
        application(served), log_level="error", lifespan="off", timeout_graceful_shutdown=1, ws="websockets-sansio",
    ))  # fmt: skip
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.listening]}, daemon=True)
    thread.start()
    wait_for(lambda: server.started, within_s=10)
    at = Site(made, served, bound.address, hands)
    yield at
    for client in at.clients:
        client.close()
    served.close()
    server.should_exit = True
    thread.join(10)
    bound.listening.close()
    made.room.close()
