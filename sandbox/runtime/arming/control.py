"""Orders to a process of a run: one JSON document per line over a unix socket, answered by one line.

An answer has `ok`; where it is false, `error` is the document of a SandboxError.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.base.errors import KINDS, SandboxError

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
MAX_LINE_BYTES = 1 << 20


async def listen(path: Path, answer: Answer) -> asyncio.AbstractServer:
    """Takes orders at `path`, for this user alone, replacing what a dead process left there."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(line, answer)).encode() + b"\n")
                await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(converse, str(path), limit=MAX_LINE_BYTES)
    finally:
        os.umask(mask)


async def _answer(line: bytes, answer: Answer) -> dict[str, Any]:
    try:
        return {"ok": True, **await answer(_order(line))}
    except Exception as error:  # an order must never end the process that takes it
        return _refusal(error)


def answered(line: bytes, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """The line that answers a line, for a process that has no event loop of asyncio."""
    try:
        told = {"ok": True, **answer(_order(line))}
    except Exception as error:  # as above
        told = _refusal(error)
    return json.dumps(told).encode() + b"\n"


def _order(line: bytes) -> dict[str, Any]:
    order = json.loads(line)
    if not isinstance(order, dict) or not isinstance(order.get("op"), str):
        raise SandboxError(
            "CFG-003", where="control order", seen=line[:200].decode(errors="replace"),
            expected="a JSON object with op", fix="use sandbox.runtime.stack",
        )  # fmt: skip
    return order


def _refusal(error: Exception) -> dict[str, Any]:
    if not isinstance(error, SandboxError):
        error = SandboxError(
            "WIRE-006", where="control order", seen=repr(error)[:300], expected="an answer",
            fix="see the log of the process",
        )  # fmt: skip
    return {"ok": False, "error": error.as_json()}


def ask(path: Path, op: str, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
    """Sends one order and returns its answer. Raises what the process answered, RUN-001 when there
    is none, WIRE-004 when it does not answer in time."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout_s)
            line.connect(str(path))
            line.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
            with line.makefile("rb") as answers:
                return unwrap(answers.readline(), path)
    except TimeoutError as error:
        raise SandboxError(
            "WIRE-004", where=str(path), seen=f"no answer to {op} in {timeout_s:g} s", expected="an answer",
            fix="see `sandbox status` and the logs in the run directory",
        ) from error  # fmt: skip
    except OSError as error:
        raise absent(path, error) from error


async def ask_async(
    path: Path, op: str, *, timeout_s: float = 10.0, **fields: Any
) -> dict[str, Any]:
    """As `ask`, without blocking the event loop. Raises TimeoutError instead of WIRE-004."""
    async with asyncio.timeout(timeout_s):
        try:
            reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE_BYTES)
        except OSError as error:
            raise absent(path, error) from error
        try:
            writer.write(json.dumps({"op": op, **fields}).encode() + b"\n")
            return unwrap(await reader.readline(), path)
        except OSError as error:
            raise absent(path, error) from error
        finally:
            writer.close()


def absent(path: Path, error: OSError) -> SandboxError:
    return SandboxError(
        "RUN-001", where=str(path), seen=str(error), expected="a running process of a stack",
        fix="see `sandbox status`; start a stack: sandbox up",
    )  # fmt: skip


def unwrap(line: bytes, path: Path) -> dict[str, Any]:
    """The answer on a line. Raises the SandboxError that it carries."""
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:
        raise absent(path, ConnectionResetError("connection closed without an answer")) from None
    if not answer.pop("ok"):
        raise from_json(answer["error"])
    return answer


def from_json(document: dict[str, Any]) -> SandboxError:
    """The SandboxError whose `as_json` this is."""
    code = document.get("code")
    return SandboxError(
        code if code in KINDS else "WIRE-006", where=str(document.get("where")),
        seen=document.get("seen"), expected=str(document.get("expected")), fix=str(document.get("fix")),
    )  # fmt: skip
