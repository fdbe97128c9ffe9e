"""The connections from one caller to the instances of one callee, over one network path.

gRPC balances by itself over the addresses that one channel is made for. Its Python interface tells neither which of them
took a call, nor takes addresses that come later, and both are wanted here: each instance has a channel of its own, and
services.skeleton.balancer says which of them is next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc import aio

from services.skeleton.balancer import pick
from services.skeleton.tally import Tally
from services.skeleton.trunk import Trunk

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # each path has a connection of its own
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),  # a callee that came up is found at once: it is on this host
)


@dataclass(slots=True)
class Line:
    """The connection to one instance."""

    instance: str
    address: str
    channel: aio.Channel
    trunk: Trunk
    stub: Any
    tally: Tally = field(default_factory=Tally)

    @property
    def state(self) -> grpc.ChannelConnectivity:
        return self.channel.get_state()


class Lines:
    """To all instances of a callee. policy: of the balancer, asked where there are several."""

    def __init__(self, stub: Callable[[Any], Any], addresses: Mapping[str, str], policy: Callable[[], str]) -> None:
        self._stub, self._policy = stub, policy
        self._there: dict[str, Line] = {}
        self._leaving: list[Line] = []  # calls in progress end there
        self._last = ""
        self._only: Line | None = None
        self.follow(addresses)

    def __len__(self) -> int:
        return len(self._there)

    def __iter__(self) -> Iterator[Line]:
        """All that are called, or were of late."""
        yield from self._there.values()
        yield from self._leaving

    def pick(self) -> Line:
        """The one that takes the next attempt."""
        if self._only is not None:
            return self._only
        self._last = pick(self._policy(), list(self._there), self._last, self._ready)
        return self._there[self._last]

    def follow(self, addresses: Mapping[str, str]) -> None:
        """There are these instances now. addresses: by instance, at least one."""
        known, self._there = self._there, {}
        for instance, address in addresses.items():
            line = known.get(instance)
            if line is not None and line.address == address:
                self._there[instance] = known.pop(instance)
            else:
                self._there[instance] = self._open(instance, address)
        self._leaving += known.values()
        self._only = next(iter(self._there.values())) if len(self._there) == 1 else None
        self._keep_connected()

    async def tidy(self) -> None:
        """Connects again what has lost its connection, and closes what nobody calls any more."""
        self._keep_connected()
        done = [line for line in self._leaving if not line.tally.inflight and not line.tally.durations_ms]
        self._leaving = [line for line in self._leaving if line not in done]
        await _closed(done)

    async def close(self) -> None:
        await _closed(list(self))

    def _ready(self, instance: str) -> bool:
        return self._there[instance].channel.get_state() is grpc.ChannelConnectivity.READY

    def _keep_connected(self) -> None:
        """Of several each is connected, or none but the first would ever be ready. One alone connects when called."""
        if self._only is None:
            for line in self._there.values():
                line.channel.get_state(try_to_connect=True)

    def _open(self, instance: str, address: str) -> Line:
        channel = aio.insecure_channel(address, options=OPTIONS)
        trunk = Trunk(channel)
        return Line(instance, address, channel, trunk, self._stub(trunk))


async def _closed(lines: list[Line]) -> None:
    for line in lines:
        await line.trunk.close()
        with suppress(asyncio.CancelledError):
            await line.channel.close(grace=None)
