"""Orders to a process of a run: one JSON document per line, answered by one line, over a unix socket or TCP.

An answer has `ok`; where it is false, `error` is the document of a SandboxError. Over TCP every order
carries the run's token. Nobody is waited for without end: not who asks, nor who is asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from sandbox.base.errors import KINDS, SandboxError
from sandbox.runtime.arming.endpoint import Endpoint

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
MAX_LINE_BYTES = 1 << 20  # of an order and of an answer; the longest fault names some thousand items
MAX_PEERS = 16  # conversations at once of one process: a drill holds one or two
PATIENCE_S = 10.0  # wall seconds that a peer gets to send its order, and to take the answer


async def listen(at: Endpoint, answer: Answer, *, patience_s: float = PATIENCE_S) -> asyncio.AbstractServer:
    """Takes orders there. A unix socket is for this user alone, and replaces what a dead process left.

    Whoever sends what is no order, too much, nothing in time or a wrong token is told so and let go.
    Raises RUN-006 for a port that cannot be had, CFG-001 for an address that is none.
    """
    peers = 0

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal peers
        peers += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                goes_on = peers <= MAX_PEERS or await _tell(writer, _full(at), patience_s)
                while goes_on:
                    goes_on = await _turn(reader, writer, at, answer, patience_s)
        finally:
            peers -= 1
            writer.close()

    if at.path is None:
        return await _on_port(at, converse)
    at.path.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(converse, str(at.path), limit=MAX_LINE_BYTES)
    finally:
        os.umask(mask)


async def _on_port(at: Endpoint, converse: Any) -> asyncio.AbstractServer:
    host, port = at.place
    try:
        return await asyncio.start_server(converse, host, port, limit=MAX_LINE_BYTES)
    except OSError as error:
        raise SandboxError(
            "RUN-006",
            where=f"control endpoint {at.address}",
            seen=str(error),
            expected="a free port of this host",
            fix="stop what listens there, or give this process another address",
        ) from error


async def _turn(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: Endpoint, answer: Answer, patience_s: float
) -> bool:
    """One order and its answer. Whether another may follow."""
    try:
        async with asyncio.timeout(patience_s):
            line = await reader.readline()
    except ValueError:  # longer than the limit: its rest is not read
        return await _tell(writer, _refusal(_malformed("more than one line may hold")), patience_s)
    if not line:
        return False
    try:
        order = _order(line)
        at.require(order.pop("token", None))
    except Exception as error:  # whatever was sent, it must not end the process
        return await _tell(writer, _refusal(error), patience_s)
    try:
        told = {"ok": True, **await answer(order)}
    except Exception as error:  # as above
        told = _refusal(error)
    await _tell(writer, told, patience_s)
    return True


async def _tell(writer: asyncio.StreamWriter, told: dict[str, Any], patience_s: float) -> bool:
    """False, for whoever ends the conversation with it."""
    writer.write(json.dumps(told).encode() + b"\n")
    async with asyncio.timeout(patience_s):
        await writer.drain()
    return False


def answered(line: bytes, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """The line that answers a line, for a process that has no event loop of asyncio."""
    try:
        told = {"ok": True, **answer(_order(line))}
    except Exception as error:  # as above
        told = _refusal(error)
    return json.dumps(told).encode() + b"\n"


def _order(line: bytes) -> dict[str, Any]:
    try:
        order = json.loads(line)
    except (ValueError, RecursionError):
        order = None
    if not isinstance(order, dict) or not isinstance(order.get("op"), str):
        raise _malformed(_no_secret(line))
    return order


def _no_secret(line: bytes) -> str:
    """What may be told of a line that is no order: not a part of it that could be a token."""
    return f"{len(line)} bytes" if b"token" in line else line[:200].decode(errors="replace")


def _malformed(seen: str) -> SandboxError:
    return SandboxError(
        "CFG-003",
        where="control order",
        seen=seen,
        expected=f"a JSON object with op, on a line of at most {MAX_LINE_BYTES} bytes",
        fix="use sandbox.runtime.stack",
    )


def _full(at: Endpoint) -> dict[str, Any]:
    return _refusal(SandboxError(
        "WIRE-005", where=f"control endpoint {at.address}", seen=f"more than {MAX_PEERS} conversations",
        expected="one or two", fix="end the programs that give orders to this stack, then try again",
    ))  # fmt: skip


def _refusal(error: Exception) -> dict[str, Any]:
    if not isinstance(error, SandboxError):
        error = SandboxError(
            "WIRE-006",
            where="control order",
            seen=repr(error)[:300],
            expected="an answer",
            fix="see the log of the process",
        )
    return {"ok": False, "error": error.as_json()}


def ask(at: Endpoint, op: str, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
    """Sends one order and returns its answer. timeout_s: wall seconds for all of it.

    Raises what the process answered, RUN-001 when there is none, WIRE-004 when it does not answer in
    time, WIRE-007 when what answers is no process of a run.
    """
    line = _line(at, op, fields)
    ends = time.monotonic() + timeout_s
    try:
        with _connected(at, timeout_s) as link:
            link.settimeout(_left(ends))
            link.sendall(line)
            return unwrap(_received(link, ends), at)
    except TimeoutError as error:
        raise SandboxError(
            "WIRE-004",
            where=at.address,
            seen=f"no answer to {op} in {timeout_s:g} s",
            expected="an answer",
            fix="see `sandbox status` and the logs in the run directory",
        ) from error
    except OSError as error:
        raise absent(at, error) from error


def _connected(at: Endpoint, timeout_s: float) -> socket.socket:
    if at.path is None:
        return socket.create_connection(at.place, timeout_s)
    link = socket.socket(socket.AF_UNIX)
    try:
        link.settimeout(timeout_s)
        link.connect(str(at.path))
    except BaseException:
        link.close()
        raise
    return link


def _received(link: socket.socket, ends: float) -> bytes:
    """One line, or as much of it as may be. Raises TimeoutError, however slowly its bytes come."""
    parts, n = [b""], 0
    while not parts[-1].endswith(b"\n") and n <= MAX_LINE_BYTES:
        link.settimeout(_left(ends))
        part = link.recv(1 << 16)
        if not part:
            break
        parts.append(part)
        n += len(part)
    return b"".join(parts)


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


async def ask_async(at: Endpoint, op: str, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
    """As `ask`, without blocking the event loop. Raises TimeoutError instead of WIRE-004."""
    line = _line(at, op, fields)
    async with asyncio.timeout(timeout_s):
        try:
            if at.path is None:
                link = asyncio.open_connection(*at.place, limit=MAX_LINE_BYTES)
            else:
                link = asyncio.open_unix_connection(str(at.path), limit=MAX_LINE_BYTES)
            reader, writer = await link
        except OSError as error:
            raise absent(at, error) from error
        try:
            writer.write(line)
            return unwrap(await reader.readline(), at)
        except OSError as error:
            raise absent(at, error) from error
        except ValueError as error:  # an answer without end
            raise _stranger(at, str(error)) from error
        finally:
            writer.close()


def _line(at: Endpoint, op: str, fields: dict[str, Any]) -> bytes:
    """Raises CFG-003 for an order that no process takes."""
    order = {"op": op, **fields} | ({"token": at.token} if at.token else {})
    line = json.dumps(order).encode() + b"\n"
    if len(line) >= MAX_LINE_BYTES:
        raise _malformed(f"{op}, {len(line)} bytes")
    return line


def absent(at: Endpoint, error: OSError) -> SandboxError:
    return SandboxError(
        "RUN-001",
        where=at.address,
        seen=str(error),
        expected="a running process of a stack",
        fix="see `sandbox status`; start a stack: sandbox up",
    )


def _stranger(at: Endpoint, seen: str) -> SandboxError:
    return SandboxError(
        "WIRE-007",
        where=at.address,
        seen=seen,
        expected="a line of JSON with ok, from a process of a stack",
        fix="see what else listens at that address",
    )


def unwrap(line: bytes, at: Endpoint) -> dict[str, Any]:
    """The answer on a line. Raises the SandboxError that it carries, RUN-001 for none, WIRE-007 for what
    is no answer."""
    if not line:
        raise absent(at, ConnectionResetError("connection closed without an answer"))
    try:
        answer = json.loads(line)
        ok, error = answer.pop("ok"), answer.get("error") or {}
        refusal = None if ok is True else from_json(error)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        raise _stranger(at, line[:200].decode(errors="replace")) from None
    if refusal is not None:
        raise refusal
    told: dict[str, Any] = answer
    return told


def from_json(document: dict[str, Any]) -> SandboxError:
    """The SandboxError whose `as_json` this is."""
    code = document.get("code")
    return SandboxError(
        code if code in KINDS else "WIRE-006",
        where=str(document.get("where")),
        seen=document.get("seen"),
        expected=str(document.get("expected")),
        fix=str(document.get("fix")),
    )
