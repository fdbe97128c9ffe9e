"""The transport of every floor, fixed by name: what a service's own transport gains must show against it.

A floor that took the services' release, loop or settings over would gain what they gain, and their ratio would hide it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any

import grpc
from grpc import aio

from sandbox.runtime.local.processes import child_environment

GRPCIO = "1.85.3"
LOOP = asyncio.SelectorEventLoop
CHANNEL = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 16 << 20))
SERVER = (("grpc.max_receive_message_length", 16 << 20),)
_FOR_FORKS = "GRPC_ENABLE_FORK_SUPPORT"
SERVICE, METHOD = "bench.Echo", "/bench.Echo/Call"


def environment() -> dict[str, str]:
    """Of a floor's process: nothing that changes gRPC's ways but what every process of a stack has."""
    kept = {name: value for name, value in child_environment().items() if not name.startswith("GRPC_")}
    return kept | {_FOR_FORKS: "0", "GRPC_VERBOSITY": "ERROR"}


def described() -> dict[str, Any]:
    """As the document has it. as_fixed: whether the release is the fixed one, which nothing but an installation can change."""
    return {
        "grpcio": version("grpcio"),
        "grpcio_fixed": GRPCIO,
        "as_fixed": version("grpcio") == GRPCIO,
        "loop": "asyncio.SelectorEventLoop",  # whose own name differs by system
        "channel": dict(CHANNEL),
        "server": dict(SERVER),
        "environment": {name: value for name, value in environment().items() if name.startswith("GRPC_")},
        "inherited_and_left_out": sorted(n for n in os.environ if n.startswith("GRPC_") and n != _FOR_FORKS),
    }


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=LOOP) as runner:
        runner.run(main)


async def serve(answer: Any) -> tuple[aio.Server, int]:
    """A started server of raw bytes on a free port of the loopback, and the port."""
    server = aio.server(options=SERVER)
    method = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Call": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


def channel(address: str) -> aio.Channel:
    return aio.insecure_channel(address, options=CHANNEL)
