"""One participant as its page is: a socket for the events and for what is new in the overview, commands with an id."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sandbox.bench.warroom.wire import Http

TRIES = 40  # at joining, where joins are limited
_AGAIN_S = 0.25
_TOO_MANY = 429

Tape = list[tuple[float, str]]


@dataclass
class Participant:
    """address: of the server. code: of the room. tape: where it keeps what came and when, None for nowhere; clock: its
    seconds. up: set while something comes over its socket. counted: first
    numbers of the answers to queries that it heard of. seen: how often something in the overview was new."""

    address: str
    code: str
    name: str
    role: str
    clock: Callable[[], float]
    tape: Tape | None = None
    seqs: list[int] = field(default_factory=list)
    streamed: int = 0
    reconnected: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)
    counted: list[float] = field(default_factory=list)
    seen: int = 0

    def __post_init__(self) -> None:
        self.http = Http(self.address)
        self._place = f"/api/v1/rooms/{self.code}"

    @property
    def received(self) -> int:
        """Bytes so far: what the stream's messages and the answers hold, before anything is compressed."""
        return self.streamed + self.http.received

    async def join(self) -> None:
        """Comes in as soon as joins are not too many. Raises ConnectionError where it may not."""
        for _ in range(TRIES):
            answer = await self.http.call("POST", f"{self._place}/join", {"name": self.name, "role": self.role})
            if answer.status != _TOO_MANY:
                break
            await asyncio.sleep(_AGAIN_S)  # the server's limit is what is waited for
        if answer.status != 200:
            raise ConnectionError(f"join: {answer.status} {answer.body[:300]!r}")
        self._token = str(answer.json()["token"])
        self.http.headers["authorization"] = f"Bearer {self._token}"
        await self.state()

    async def listen(self) -> None:
        """Hears the room and watches its overview until it is cancelled, through as many sockets as it takes, from where it
        was."""
        url = f"{self.address.replace('http', 'ws', 1)}{self._place}/events?token={self._token}&watch=true"
        try:
            while True:
                after = self.seqs[-1] if self.seqs else 0
                async with connect(f"{url}&resume_from={after}", max_size=None) as socket:
                    await self._hear(socket)
                self.reconnected += 1
        finally:
            self.up.clear()

    async def give(self, kind: str, fields: dict[str, Any]) -> tuple[int | None, str]:
        """(number of its event, "") or (None, what was said against it)."""
        answer = await self.http.call(
            "POST", f"{self._place}/commands", {"kind": kind, "id": secrets.token_hex(8), **fields}
        )
        if answer.status == 200:
            return int(answer.json()["seq"]), ""
        return None, f"{kind}: {answer.body.decode(errors='replace')[:300]}"

    async def state(self) -> dict[str, Any]:
        answer = await self.http.call("GET", f"{self._place}/state")
        if answer.status != 200:
            raise ConnectionError(f"state: {answer.status} {answer.body[:300]!r}")
        told: dict[str, Any] = answer.json()
        return told

    async def _hear(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                assert isinstance(text, str), "events are text"
                self.up.set()
                self.streamed += len(text.encode())
                self._note(text)
                told = json.loads(text)
                if told["kind"] == "problem":
                    raise ConnectionError(text[:300])
                if told["kind"] == "overview":
                    self.seen += 1
                elif told["kind"] != "clock":
                    self.seqs.append(int(told["seq"]))
                if told["kind"] == "asked" and told["what"]["rows"]:
                    self.counted.append(float(told["what"]["rows"][0][0]))
        except ConnectionClosed:
            return

    def _note(self, text: str) -> None:
        if self.tape is not None:
            self.tape.append((self.clock(), text))
