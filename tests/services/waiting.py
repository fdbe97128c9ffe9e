"""Waiting for conditions in tests of real processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
import psutil
from grpc import aio

T = TypeVar("T")


def wait_for(look: Callable[[], T], within_s: float = 30.0, what: str = "") -> T:
    """What `look` returned when it was first true. Gives up with the last value seen."""
    until = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < until, f"{what or 'condition'} not within {within_s} s: {seen!r}"
        time.sleep(0.05)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """As `wait_for`, on an event loop."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        await asyncio.sleep(0.01)


async def eventually(call: Callable[[], Awaitable[T]], seconds: float = 20.0) -> T:
    """What the call answers when it first does; until then gRPC may fail it."""
    end = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except grpc.RpcError:
            if time.monotonic() >= end:
                raise
        await asyncio.sleep(0.05)


async def answering(address: str, server: asyncio.Task[None], seconds: float = 10.0) -> None:
    """Until the server at that address takes calls. Raises what ended it if it ends first, as where its port was taken."""
    async with aio.insecure_channel(address) as channel:
        ready = asyncio.ensure_future(channel.channel_ready())
        try:
            await asyncio.wait({ready, server}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if server.done():
                await server
            assert ready.done(), f"nobody answers at {address} within {seconds} s"
        finally:
            ready.cancel()


def processes_of(run_dir: object) -> list[str]:
    """Command lines of living processes that belong to a run directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(run_dir) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found
