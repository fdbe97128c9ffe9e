"""The load generator's two ways out: gRPC to the gateway, and its own rows to the lake."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import grpc

from sandbox.base.run import RunInfo
from sandbox.runtime.rows import send_rows
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc

TIMEOUT_S = 2.0  # a user who waits longer has given up
FLUSH_S = 0.5
MAX_ROWS = 100_000  # while the collector is away


class Gateway:
    """Blocking calls (cooperative under gevent) to the gateway."""

    def __init__(self, run: RunInfo) -> None:
        self._channel = grpc.insecure_channel(run.addresses["gateway"])
        self._stub: Any = gateway_pb2_grpc.RecommenderStub(self._channel)

    def recommend(self, user: int, session: int, depth: int, k: int, attempt: int) -> Any:
        request = gateway_pb2.RecommendRequest(
            user_id=user, k=k, session_id=str(session), depth=depth, surface="home", client="app", attempt=attempt
        )
        return self._stub.Recommend(request, timeout=TIMEOUT_S)

    def feedback(self, events: list[Any]) -> Any:
        return self._stub.LogFeedback(gateway_pb2.LogFeedbackRequest(events=events), timeout=TIMEOUT_S)

    def close(self) -> None:
        self._channel.close()


class Rows:
    """Rows of the lake's `locust` table on their way to the collector."""

    def __init__(self, run: RunInfo) -> None:
        self._run, self._rows, self._sent = run, deque[tuple[Any, ...]](maxlen=MAX_ROWS), 0.0

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)

    def flush(self) -> None:
        if not self._rows or time.monotonic() - self._sent < FLUSH_S:
            return
        self._sent = time.monotonic()
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        if not send_rows(self._run, "locust", rows, service="load"):
            self._rows.extend(rows)
