"""What Redis says of itself and of the event stream, once a wall second: rows of three tables.

Speaks RESP over the store's connection with hiredis alone: the client library would cost the
collector 10 MB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from sandbox.base.instances import named
from sandbox.base.rows import Row, row_of
from services.events.core import GROUP, PROGRESS, STREAM
from services.skeleton.replica import HELD

_COUNT = "return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2])"
_TIMEOUT_S = 2.0


class RedisLink:
    """A connection that is made anew when it broke. Raises OSError while Redis is away.

    address: `RunInfo.redis`, the path of a unix socket or host:port.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, *commands: Sequence[str]) -> list[Any]:
        """The answers, in order; an error of one command is its answer (hiredis.ReplyError)."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                if self._writer is None:
                    self._reader, self._writer = await self._connect()
                assert self._reader is not None
                self._writer.write(b"".join(_packed(command) for command in commands))
                parser = hiredis.Reader(encoding="utf-8", errors="replace")
                answers: list[Any] = []
                while len(answers) < len(commands):
                    received = await self._reader.read(1 << 16)
                    if not received:
                        raise ConnectionError("Redis closed the connection")
                    parser.feed(received)
                    while (answer := parser.gets()) is not False:
                        answers.append(answer)
                return answers
        except (OSError, TimeoutError, hiredis.ProtocolError) as error:
            self.close()
            raise OSError(str(error) or type(error).__name__) from error

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.startswith("/"):
            return await asyncio.open_unix_connection(self._address)
        host, port = self._address.rsplit(":", 1)
        return await asyncio.open_connection(host, int(port))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class RedisProbe:
    """Samples with what changed since the sample before. replica_speed: world seconds per wall second, None where
    there is no replica."""

    def __init__(self, link: RedisLink, replica_speed: float | None = None) -> None:
        self._link, self._replica_speed = link, replica_speed
        self._before: dict[str, int] = {}
        self._tail = self._delivered = ""
        self._undelivered, self._slowest_id = 0, -1
        self.pid: int | None = None

    async def stats(self, ts: float, wall_s: float) -> Row:
        """A row of redis_stats. wall_s: since the sample before."""
        (text,) = await self._link.ask(["INFO"])
        fields = dict(line.split(":", 1) for line in str(text).splitlines() if ":" in line and line[0] != "#")
        self.pid = int(fields["process_id"])
        now = {key: int(fields.get(key, 0)) for key in _COUNTERS}
        since = {key: max(0, now[key] - self._before.get(key, now[key])) for key in _COUNTERS}
        self._before = now
        keys = sum(
            int(part.split("=")[1])
            for name, value in fields.items()
            if name.startswith("db")
            for part in value.split(",")
            if part.startswith("keys=")
        )
        return row_of.redis_stats(
            ts=ts, node=named("redis"), ops=since["total_commands_processed"] / wall_s,
            used_mb=int(fields["used_memory"]) / 2**20,
            maxmemory_mb=int(fields.get("maxmemory", 0)) / 2**20, evicted=since["evicted_keys"],
            expired=since["expired_keys"], hits=since["keyspace_hits"],
            misses=since["keyspace_misses"], fork_us=int(fields.get("latest_fork_usec", 0)),
            net_out_kb=since["total_net_output_bytes"] / 1024, keys=keys, replica_lag_s=await self._replica_lag_s(),
        )  # fmt: skip

    async def _replica_lag_s(self) -> float | None:
        if self._replica_speed is None:
            return None
        held_ms, left_ms = await self._link.ask(["GET", HELD], ["PTTL", HELD])
        behind_ms = 0.0 if held_ms is None else (_float(held_ms) or 0.0) - max(0, int(left_ms))
        return behind_ms / 1000 * self._replica_speed

    async def slow(self, ts: float) -> list[Row]:
        """Rows of redis_slowlog: what Redis found slow since the time before."""
        (found,) = await self._link.ask(["SLOWLOG", "GET", "64"])
        entries = [e for e in found if int(e[0]) > self._slowest_id] if isinstance(found, list) else []
        self._slowest_id = max([self._slowest_id, *(int(e[0]) for e in entries)])
        return [
            row_of.redis_slowlog(
                ts=ts, node=named("redis"), command=str(words[0]), key=str(words[1]) if len(words) > 1 else "",
                n_words=len(words), dur_ms=int(took_us) / 1000,
            )
            for _, _, took_us, words, *_ in reversed(entries)
        ]  # fmt: skip

    async def stream(self, now: Callable[[], float], wall_s: float) -> Row | None:
        """A row of stream_stats, None while there is no stream or no group. now: world seconds, asked
        when the store has answered: nothing in the row is newer.

        Redis before 7 keeps no count of what a group has yet to be given, so it is kept here: the
        entries since the sample before are counted, never the whole stream again.
        """
        length, info, groups, progress = await self._link.ask(
            ["XLEN", STREAM],
            ["XINFO", "STREAM", STREAM],
            ["XINFO", "GROUPS", STREAM],
            ["HMGET", PROGRESS, "written_ts", "processed_ts"],
        )
        ts, group = now(), _group(groups)
        if group is None or isinstance(info, Exception):
            return None
        tail = str(_pairs(info)["last-generated-id"])
        delivered = str(group["last-delivered-id"])
        first = not self._tail
        n_in = 0 if first else await self._count(self._tail, tail)
        n_out = 0 if first else await self._count(self._delivered, delivered)
        if first or _before(delivered, self._delivered):  # a group that was set back: count anew
            self._undelivered = await self._count(delivered, tail)
            n_out = 0
        else:
            self._undelivered = max(0, min(self._undelivered + n_in - n_out, int(length)))
        if delivered == tail:
            self._undelivered = 0
        self._tail, self._delivered = tail, delivered
        written, processed = progress if isinstance(progress, list) else (None, None)
        return row_of.stream_stats(
            ts=ts, stream=STREAM, consumer_group=GROUP, length=int(length),
            backlog=self._undelivered + int(group["pending"]), last_event_ts=_float(written),
            last_processed_ts=_float(processed), rate_in=n_in / wall_s, rate_out=n_out / wall_s,
        )  # fmt: skip

    async def _count(self, after: str, until: str) -> int:
        """Entries with after < id <= until."""
        if not _before(after, until):
            return 0
        (n,) = await self._link.ask(["EVAL", _COUNT, "1", STREAM, f"({after}", until])
        return n if isinstance(n, int) else 0


_COUNTERS = (
    "total_commands_processed", "evicted_keys", "expired_keys", "keyspace_hits",
    "keyspace_misses", "total_net_output_bytes",
)  # fmt: skip


def _packed(command: Sequence[str]) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]  # its stub takes one
    return packed


def _pairs(flat: Any) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True)) if isinstance(flat, list) else {}


def _group(groups: Any) -> dict[str, Any] | None:
    if not isinstance(groups, list):
        return None  # no such stream yet
    return next((g for g in map(_pairs, groups) if g.get("name") == GROUP), None)


def _before(left: str, right: str) -> bool:
    return [int(part) for part in left.split("-")] < [int(part) for part in right.split("-")]


def _float(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
