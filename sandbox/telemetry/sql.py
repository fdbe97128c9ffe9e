"""SQL for people: read-only, bounded in time, memory and rows, in a process that may be killed."""

from __future__ import annotations

import selectors
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.telemetry.sql_wire import pack, unpack

TIMEOUT_S = 10.0
MAX_ROWS = 10_000
MEMORY_MB = 512
_START_S = 30.0  # for a worker to come up on a busy machine; about 0.3 s otherwise
_RECYCLE_MB = 256.0  # a worker that grew beyond is ended after its answer; idle it has about 80
_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Result:
    """rows: lists of Python values in the order of `columns`; timestamps are naive, world time in UTC.

    types: DuckDB types by column. truncated: there were more rows than max_rows.
    """

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    truncated: bool = False


class SqlWorker:
    """Queries on one lake, one at a time, in a worker process that is started when first needed.

    lake_dir: need not exist yet. until_ts: only what had been written by then, world seconds since the
    epoch. Safe to use from several threads. Close it, or use `with`.
    """

    def __init__(self, lake_dir: Path, *, memory_mb: int = MEMORY_MB, until_ts: float | None = None) -> None:
        self._lake, self._memory_mb = Path(lake_dir), memory_mb
        self._until = [] if until_ts is None else [str(until_ts)]
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def query(self, sql: str, *, timeout_s: float = TIMEOUT_S, max_rows: int = MAX_ROWS) -> Result:
        """The answer on the lake of now.

        Raises LAKE-001 (refused), LAKE-002 (time), LAKE-003 (memory), LAKE-004 (does not run).
        """
        if not 0 < timeout_s <= 600 or not 0 < max_rows <= 1_000_000:
            raise SandboxError(
                "CFG-001",
                where="SQL limits",
                seen=f"timeout {timeout_s} s, {max_rows} rows",
                expected="0 to 600 s, 1 to 1,000,000 rows",
                fix="choose limits in that range",
            )
        with self._turn:
            process = self._started()
            request = pack({"sql": sql, "max_rows": max_rows, "cpu_s": timeout_s})
            try:
                answer = self._ask(process, request, timeout_s)
            except BaseException:  # also Ctrl-C: the answer to this query must not reach the next
                self._kill()
                raise
            if answer["rss_mb"] > _RECYCLE_MB:
                self._kill()
        if "error" in answer:
            error = answer["error"]
            raise SandboxError(
                error["code"], where=error["where"], seen=error["seen"], expected=error["expected"], fix=error["fix"]
            )
        return Result(answer["columns"], answer["types"], answer["rows"], answer["truncated"])

    @property
    def pid(self) -> int | None:
        """Of the worker process, None when there is none."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        with self._turn:
            self._kill()

    def __enter__(self) -> SqlWorker:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._kill()
        command = [sys.executable, "-m", "sandbox.telemetry.sql_worker"]
        self._process = subprocess.Popen(
            [*command, str(self._lake), str(self._memory_mb), *self._until],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C at the terminal is the parent's to answer
        )
        if _receive(self._process, _START_S) is None:
            self._kill()
            raise SandboxError(
                "RUN-003",
                where="SQL worker",
                seen="it ended or did not answer",
                expected="a worker within 30 s",
                fix="see what is missing: sandbox doctor",
            )
        return self._process

    def _ask(self, process: subprocess.Popen[bytes], request: bytes, timeout_s: float) -> dict[str, Any]:
        assert process.stdin is not None
        deadline = time.monotonic() + timeout_s
        try:
            process.stdin.write(len(request).to_bytes(_LENGTH_BYTES, "little") + request)
            body = _receive(process, timeout_s)
        except BrokenPipeError:
            body = None
        if body is not None:
            answer: dict[str, Any] = unpack(body)
            return answer
        self._kill()
        if time.monotonic() >= deadline:
            raise SandboxError(
                "LAKE-002",
                where="SQL",
                seen=f"more than {timeout_s:g} s",
                expected=f"an answer within {timeout_s:g} s",
                fix="read less: a shorter time window, fewer joins; or allow more: --timeout",
            )
        raise SandboxError(
            "LAKE-003",
            where="SQL",
            seen="the worker process died of it",
            expected=f"a query within {self._memory_mb} MB",
            fix="read fewer rows or columns: add WHERE, aggregate, or LIMIT",
        )

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def query(
    lake_dir: Path, sql: str, *, timeout_s: float = TIMEOUT_S, max_rows: int = MAX_ROWS, memory_mb: int = MEMORY_MB
) -> Result:
    """One query in a worker of its own. For more than one, keep a SqlWorker. Raises as it does."""
    with SqlWorker(lake_dir, memory_mb=memory_mb) as worker:
        return worker.query(sql, timeout_s=timeout_s, max_rows=max_rows)


def _receive(process: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """The next message of the worker, None when it ended or the time is up."""
    assert process.stdout is not None
    deadline = time.monotonic() + timeout_s
    received, wanted = bytearray(), _LENGTH_BYTES
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(received) < wanted:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            part = process.stdout.read(1 << 20)
            if not part:
                return None
            received += part
            if wanted == _LENGTH_BYTES and len(received) >= _LENGTH_BYTES:
                wanted += int.from_bytes(received[:_LENGTH_BYTES], "little")
    return bytes(received[_LENGTH_BYTES:])
