"""One process of the cold floor: a bare gRPC server at the place of a service, with that service's cores and nothing else.

`python -m sandbox.bench.bare RUN_DIR PREPARED` tells {port}, takes {callees: {process: address}, sizes} and tells {}, and then
serves until its stdin ends. PREPARED: what `hot` left, so that every core has inputs of its own kind without another's
answer being unpacked: packing is not a core's work.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from sandbox.base.run import RunInfo
from sandbox.bench import transport
from sandbox.bench.kernels import Kernels, load
from sandbox.bench.way import BEHIND, OPS, WAY, message, process_of, read


class Bare:
    def __init__(self, run_dir: Path, prepared: Path) -> None:
        self._kernels = Kernels(RunInfo.load(run_dir))
        self._made = load(prepared)
        self._sizes: dict[str, tuple[int, int]] = {}
        self._calls: dict[str, Any] = {}
        self._behind: set[asyncio.Task[Any]] = set()

    def connect(self, callees: dict[str, str], sizes: dict[str, tuple[int, int]]) -> None:
        self._sizes = sizes
        calls = {name: transport.channel(address).unary_unary(transport.METHOD) for name, address in callees.items()}
        self._calls = {op: calls[process_of(op)] for op in OPS if process_of(op) in calls}

    async def answer(self, raw: bytes, _context: object) -> bytes:
        op, i, n_answer = read(raw)
        made = self._made[i % len(self._made)]
        for step in WAY[op]:
            kind, of = step.split(" ", 1)
            if kind == "call":
                await self._calls[of](message(of, i, self._sizes))
            else:
                self._kernels.at(of, made)
        if op in BEHIND:
            task = asyncio.ensure_future(self._calls[BEHIND[op]](message(BEHIND[op], i, self._sizes)))
            self._behind.add(task)
            task.add_done_callback(self._behind.discard)
        return bytes(n_answer)


async def _serve(run_dir: str, prepared: str) -> None:
    bare = Bare(Path(run_dir), Path(prepared))
    server, port = await transport.serve(bare.answer)
    loop = asyncio.get_running_loop()
    _tell(port=port)
    order = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    bare.connect(order["callees"], {op: (size[0], size[1]) for op, size in order["sizes"].items()})
    _tell()
    await loop.run_in_executor(None, sys.stdin.read)
    await server.stop(0)


def _tell(**document: Any) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    transport.run(_serve(*sys.argv[1:3]))
