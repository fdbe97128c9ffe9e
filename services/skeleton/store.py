"""The way to Redis: short timeouts, one quick reconnect, and one typed error when it is not there."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from sandbox.base.errors import SandboxError

TIMEOUT_S = 0.25  # wall seconds for one command; the healthy median is below 1 ms
FAILURES = (RedisError, OSError)  # what a command can raise


def connect(address: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client for `RunInfo.redis`: the path of a unix socket, or host:port. Connects when first used.

    timeout_s: wall seconds for connecting and for each command. A connection found dead is replaced
    once, at once: whoever waits has a deadline of its own.
    """
    place: dict[str, Any]
    if address.startswith("/"):
        place = {"unix_socket_path": address}
    else:
        host, port = address.rsplit(":", 1)
        place = {"host": host, "port": int(port)}
    return Redis(
        **place,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError, TimeoutError)),
    )


def unreachable(where: str, error: Exception) -> SandboxError:
    """STORE-001 for a command that failed."""
    return SandboxError(
        "STORE-001", where=where, seen=repr(error)[:200], expected="a store that answers",
        fix="see `sandbox status`: is redis up?",
    )  # fmt: skip
