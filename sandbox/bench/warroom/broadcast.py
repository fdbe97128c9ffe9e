"""The floor of a stream: a bare WebSocket server that sends the same texts at the same times to as many.

`python -m sandbox.bench.warroom.broadcast` serves on a free port of the loopback, prints it, and ends with its stdin. Each
line on stdin is {"tape": [[seconds, text], ...], "clients": n, "seconds": s}; the answer is {"cpu_share", "sent"}.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve

_THERE_S = 30.0  # wall seconds that the clients get to come


async def _main() -> None:
    there: set[ServerConnection] = set()
    changed = asyncio.Event()

    async def held(connection: ServerConnection) -> None:
        there.add(connection)
        changed.set()
        try:
            await connection.wait_closed()
        finally:
            there.discard(connection)

    async with serve(held, "127.0.0.1", 0) as server:
        _say({"port": server.sockets[0].getsockname()[1]})
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            async with asyncio.timeout(_THERE_S):
                while len(there) < order["clients"]:
                    changed.clear()
                    await changed.wait()
            _say(await _played(there, order["tape"], order["seconds"]))


async def _played(there: set[ServerConnection], tape: list[tuple[float, str]], seconds: float) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    began, cpu_s, sent = loop.time(), time.process_time(), 0
    for at_s, text in tape:
        await asyncio.sleep(max(0.0, began + at_s - loop.time()))  # the tape's own time is what is replayed
        broadcast(there, text)
        sent += len(there)
    await asyncio.sleep(max(0.0, began + seconds - loop.time()))
    return {"cpu_share": (time.process_time() - cpu_s) / (loop.time() - began), "sent": sent}


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # whoever asked is gone
        asyncio.run(_main())
