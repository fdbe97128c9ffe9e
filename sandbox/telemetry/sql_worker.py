"""The process in which a trainee's SQL runs: `python -m sandbox.telemetry.sql_worker LAKE MEMORY_MB [UNTIL_TS]`.

Requests on stdin, answers on stdout: 4 bytes little-endian length, then msgpack.
    request  {"sql": text, "max_rows": n, "cpu_s": seconds of processor time it may take}
    answer   {"columns": [...], "types": [...], "rows": [...], "truncated": bool}
          or {"error": {"code", "where", "seen", "expected", "fix"}}; either with "rss_mb"
It ends when stdin does. Memory: some functions (repeat) heed no limit of DuckDB's, hence RLIMIT_AS.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import msgpack

from sandbox.base.errors import SandboxError
from sandbox.telemetry import sqlguard
from sandbox.telemetry.lake import Lake
from sandbox.telemetry.sql_wire import pack, read_message, write_message

HEADROOM_MB = 256  # address space for the parser, the result and fragmentation, over DuckDB's limit
MAX_ANSWER_BYTES = 64 * 2**20


def main() -> None:
    root, memory_mb = Path(sys.argv[1]), int(sys.argv[2])
    until_ts = float(sys.argv[3]) if len(sys.argv) > 3 else None
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not end up among the answers
    lake = Lake(root, locked=True, memory_mb=memory_mb, threads=1, until_ts=until_ts)
    # Once unused, so that what DuckDB maps at first use does not count against the limit.
    lake.query("SELECT count(*), max(ts), median(value) FROM metrics GROUP BY name ORDER BY 1")
    _limit_memory(memory_mb + HEADROOM_MB)
    serve(lake, sys.stdin.buffer, answers)


def serve(lake: Lake, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    write_message(answers, msgpack.packb({"ready": True}))
    while (message := read_message(requests)) is not None:
        request = msgpack.unpackb(message)
        _limit_cpu(request["cpu_s"])
        try:
            answer = pack(run(lake, request["sql"], request["max_rows"]) | _size())
            if len(answer) > MAX_ANSWER_BYTES:
                raise _too_large(f"an answer of {len(answer) >> 20} MiB")
        except SandboxError as error:
            answer = pack({"error": error.as_json()} | _size())
        except MemoryError:
            answer = pack({"error": _too_large("no memory left for the answer").as_json()} | _size())
        write_message(answers, answer)


def run(lake: Lake, sql: str, max_rows: int) -> dict[str, Any]:
    """Columns, types and at most max_rows rows. Raises LAKE-001, LAKE-003 or LAKE-004."""
    views = sqlguard.check(lake.connection, sql)
    if sqlguard.asks_catalogue(sql):
        lake.comment()
    for attempt in (1, 2):
        lake.refresh()
        try:
            cursor = lake.connection.execute(sql)
            rows = cursor.fetchmany(max_rows + 1)
            columns = [(str(c[0]), str(c[1])) for c in cursor.description or ()]
        except duckdb.OutOfMemoryException as error:
            raise _too_large(str(error).split("\n")[0][:200]) from None
        except duckdb.IOException as error:  # a segment was merged away: once more, with what is live
            if attempt == 2:
                raise sqlguard.explain_failure(error, views) from None
            continue
        except duckdb.Error as error:
            if "allocat" in str(error).lower():  # std::bad_alloc surfaces under several names
                raise _too_large(str(error).split("\n")[0][:200]) from None
            raise sqlguard.explain_failure(error, views) from None
        return {
            "columns": [name for name, _ in columns],
            "types": [type_ for _, type_ in columns],
            "rows": [list(row) for row in rows[:max_rows]],
            "truncated": len(rows) > max_rows,
        }
    raise AssertionError("unreachable")


def _size() -> dict[str, float]:
    """Resident memory now, MiB, 0 where it cannot be read: DuckDB keeps much of what it once took.

    Not ru_maxrss: a child begins with that of its parent.
    """
    return {"rss_mb": _pages(1) * resource.getpagesize() / 2**20}


def _pages(which: int) -> int:
    """Of address space (0) or resident (1); 0 without /proc (macOS)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[which])
    except OSError:
        return 0


def _too_large(seen: str) -> SandboxError:
    return SandboxError(
        "LAKE-003",
        where="SQL",
        seen=seen,
        expected="a query within the memory limit",
        fix="read fewer rows or columns: add WHERE, aggregate, or LIMIT",
    )


def _limit_memory(extra_mb: int) -> None:
    """Address space from here on. Measured from what is mapped now: DuckDB maps far more than it uses."""
    mapped = _pages(0) * resource.getpagesize()
    if mapped == 0:  # macOS, where RLIMIT_AS is not kept to either: DuckDB's limit alone
        return
    resource.setrlimit(resource.RLIMIT_AS, (mapped + extra_mb * 2**20,) * 2)


def _limit_cpu(seconds: float) -> None:
    """A worker whose parent died in the middle of a query must not run for ever."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
