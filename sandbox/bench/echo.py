"""The floor of an RPC: a bare grpc.aio server that answers as many bytes as it is asked for.

`python -m sandbox.bench.echo` serves on a free port of the loopback, prints it, and ends with its stdin.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sandbox.bench import transport
from sandbox.bench.processes import cpu_s

_SIZE = 4  # bytes in front that say how long the answer is to be
Sizes = Sequence[tuple[int, int]]  # bytes of request and answer of each call


def request_of(n_bytes: int, n_answer: int) -> bytes:
    return n_answer.to_bytes(_SIZE, "little") + bytes(max(0, n_bytes - _SIZE))


async def _answer(request: bytes, _context: object) -> bytes:
    return bytes(int.from_bytes(request[:_SIZE], "little"))


async def _serve() -> None:
    server, port = await transport.serve(_answer)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    await server.stop(0)


@contextmanager
def running() -> Iterator[tuple[int, str]]:
    """(pid, address) of an echo server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.bench.echo"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=transport.environment(),
    )
    try:
        assert process.stdout is not None
        yield process.pid, f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def cost_ms(address: str, pid: int, sizes: Sizes, rounds: int) -> tuple[float, float]:
    """CPU milliseconds of one round of calls of these sizes, one after the other: (caller, server)."""
    requests = [request_of(*size) for size in sizes]
    async with transport.channel(address) as channel:
        call = channel.unary_unary(transport.METHOD)
        for request in requests:
            await call(request)
        server, caller = cpu_s([pid])[pid], time.process_time()
        for _ in range(rounds):
            for request in requests:
                await call(request)
        caller, server = time.process_time() - caller, cpu_s([pid])[pid] - server
    return caller / rounds * 1000, server / rounds * 1000


if __name__ == "__main__":
    transport.run(_serve())
