"""Telemetry rows from programs that are no service: operations, the supervisor, jobs."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from sandbox.base.frames import encode_all
from sandbox.base.instances import named
from sandbox.base.run import RunInfo

TIMEOUT_S = 10.0


def send_rows(run: RunInfo, table: str, rows: Sequence[Sequence[Any]], service: str = "runtime") -> bool:
    """Sends rows to the run's collector; False when it is away. rows: in the schema's column order."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(run.collector_socket))
            for frame in encode_all(service, named(service), table, rows):
                connection.sendall(frame)
    except OSError:
        return False
    return True
