"""A seat in a room that a server has: one more client of the API, as the pages are."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from sandbox.base.errors import SandboxError

_ANSWER_S = 120.0  # wall seconds for one call: a query has a limit of its own
_LOOK_S = 0.5  # wall seconds between two looks at a world that goes by itself
MOST_WAIT_S = 45.0  # wall seconds of one wait: clients give up after a minute


class ServedSeat:
    """address: of the server. Joins at once. Raises as joining does; RUN-003 where nobody answers."""

    def __init__(self, address: str, code: str, name: str, role: str) -> None:
        self._address, self._room = address.rstrip("/"), f"/rooms/{quote(code.upper(), safe='')}"
        self._token = ""
        self._token = str(self._call(f"{self._room}/join", {"name": name, "role": role})["token"])

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self._call(f"{self._room}/state")
        return found

    def words(self) -> dict[str, Any]:
        found: dict[str, Any] = self._call("/words")
        return found

    def overview(self) -> dict[str, Any]:
        found: dict[str, Any] = self._call(f"{self._room}/overview")
        return found

    def give(self, kind: str, **fields: Any) -> dict[str, Any]:
        seq = int(self._call(f"{self._room}/commands", {"kind": kind, **fields})["seq"])
        return {"seq": seq, **self._event(seq)["what"]}

    def wait(self, seconds: float, *, to_the_page: bool) -> None:
        pause, answer_by, state = threading.Event(), time.monotonic() + MOST_WAIT_S, self.state()
        until = state["room"]["world_ts"] + seconds
        while time.monotonic() < answer_by and _is_awaited(state, until, to_the_page):
            pause.wait(_LOOK_S)
            state = self.state()

    def close(self) -> None:
        with suppress(SandboxError):
            self._call(f"{self._room}/commands", {"kind": "leave"})

    def _event(self, seq: int) -> dict[str, Any]:
        with self._open(f"{self._room}/events?resume_from={seq - 1}") as stream:
            for line in stream:
                if line.startswith(b"data: "):
                    told: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
                    if told.get("seq") == seq and "what" in told:
                        return told
        raise _no_answer(self._address, "a stream that ended")

    def _call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        with self._open(path, body) as answer:
            return json.loads(answer.read())

    def _open(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(
            f"{self._address}/api/v1{path}", None if body is None else json.dumps(body).encode(), headers
        )
        try:
            return urllib.request.urlopen(request, timeout=_ANSWER_S)
        except urllib.error.HTTPError as error:
            raise _refusal(error, self._address) from None
        except (OSError, ValueError) as error:
            raise _no_answer(self._address, str(error)) from error


def _is_awaited(state: dict[str, Any], until_ts: float, to_the_page: bool) -> bool:
    """The world's time or the page, and after the drill the grade."""
    room = state["room"]
    if room["phase"] == "over":
        return True
    goes_on = room["phase"] in ("waiting", "running", "paused") and room["world_ts"] < until_ts
    return goes_on and not (to_the_page and state["page"])


def _refusal(error: urllib.error.HTTPError, address: str) -> SandboxError:
    """The five parts that the server told."""
    try:
        return SandboxError.of_json(json.loads(error.read()))
    except (ValueError, KeyError, TypeError):
        return _no_answer(address, f"HTTP {error.code}")


def _no_answer(address: str, seen: str) -> SandboxError:
    return SandboxError(
        "RUN-003", where=address[:200], seen=seen, expected="an answer of a server that has rooms",
        fix="start one: sandbox room start SCENARIO; or name it: --address",
    )  # fmt: skip
