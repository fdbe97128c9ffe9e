"""The server: one process that holds the rooms, in the foreground, until it is told to end."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from sandbox.base.errors import SandboxError
from sandbox.base.locks import at_once
from sandbox.base.run import write_atomically
from sandbox.room import house
from sandbox.room.kept import kept
from sandbox.room.room import Room
from sandbox.warroom.app import application
from sandbox.warroom.rooms import Served
from sandbox.warroom.settings import Secrets

_KEY = "signing.key"
_END_S = 2  # wall seconds that open streams get when the server ends


@dataclass(frozen=True)
class Bound:
    """A socket that listens, before anybody is answered on it. address: as a browser takes it."""

    listening: socket.socket
    address: str


def secrets_kept(chosen: str | None) -> Secrets:
    """The server's secrets, kept for the next start in files of this user alone: participants stay signed in.
    chosen: the instructor's secret, by the user; None for the one that is made here."""
    place = house.root()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    signing = _kept(place / _KEY, lambda: secrets.token_hex(32))
    if chosen is not None:
        (place / house.SECRET).unlink(missing_ok=True)  # the user's other commands use it too
    secret = _kept(place / house.SECRET, lambda: chosen or secrets.token_urlsafe(16))
    return Secrets(bytes.fromhex(signing), secret)


def bind(host: str, port: int, secret_chosen: bool) -> Bound:
    """Raises CFG-004 for another address than loopback without a secret that the user chose, RUN-006 for a port that is
    taken."""
    if not _is_loopback(host) and not secret_chosen:
        raise SandboxError(
            "CFG-004", where="--host", seen=host, expected="loopback, or an instructor's secret of your own",
            fix="write one of 16 characters or more into a file and add --secret-file FILE; put TLS in front",
        )  # fmt: skip
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise SandboxError(
            "RUN-006", where=f"{host}:{port}", seen=str(error), expected="a port that is free",
            fix="choose another: --port N, or --port 0 for any",
        ) from error  # fmt: skip
    shown = f"[{host}]" if ":" in host else host
    return Bound(listening, f"http://{shown}:{listening.getsockname()[1]}")


@contextmanager
def sole() -> Iterator[None]:
    """One server for each SANDBOX_HOME: two would write one journal. Raises RUN-002."""
    place = house.root()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as held:
        try:
            held.enter_context(at_once(place / house.LOCK))
        except BlockingIOError as error:
            raise SandboxError(
                "RUN-002", where=str(place), seen="a server that holds these rooms", expected="one for each SANDBOX_HOME",
                fix="end it (Ctrl-C there), or set another SANDBOX_HOME",
            ) from error  # fmt: skip
        yield


def serve(rooms: list[Room], bound: Bound, kept_secrets: Secrets, ready: Callable[[], None]) -> None:
    """Returns, or raises KeyboardInterrupt, when it is told to end. ready: called once, just before it answers."""
    write_atomically(house.root() / house.ADDRESS, json.dumps({"address": bound.address}))
    served = Served(rooms, kept_secrets)
    app = application(served)
    config: Any = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=_END_S, ws="websockets-sansio",
        ws_max_size=65_536, server_header=False, limit_concurrency=1_000, lifespan="off",
    )  # fmt: skip
    with keeping(served):
        ready()
        uvicorn.Server(config).run(sockets=[bound.listening])


@contextmanager
def keeping(served: Served) -> Iterator[None]:
    """The worlds of its rooms go on, of those too that are added meanwhile; when this is left, all of it is closed."""
    with ExitStack() as stack:

        def keep(room: Room) -> None:
            stack.callback(room.close)
            stack.enter_context(kept(room))

        stack.callback(served.close)
        for room in served.rooms.values():
            keep(room)
        served.keep = keep
        try:
            yield
        finally:
            served.keep = Room.close  # what is opened while the server ends


def _kept(path: Path, make: Callable[[], str]) -> str:
    with suppress(OSError):
        if text := path.read_text().strip():
            return text
    text = make()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
