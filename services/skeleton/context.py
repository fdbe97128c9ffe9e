"""What travels with a request: W3C trace context, its place in the world, and its deadline.

Headers: `traceparent` as OpenTelemetry sends it (https://www.w3.org/TR/trace-context/), `x-caller`
(service that calls), `x-place` (user,session,depth,region,sampled; decimal), and `x-attempt` (decimal) of what is
tried again.
"""

from __future__ import annotations

import itertools
import time
import zlib
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Context:
    """trace_id: 32 hex digits. span_id: 16, of the span in progress. parent_id: None at the root.
    caller: service that called. user, session, depth, region: the place in the world, -1 unknown.
    sampled: record this request in full. deadline: `time.perf_counter()` by which an answer is due,
    None: the caller waits for ever. attempt: of the caller's tries, from 1."""

    trace_id: str
    span_id: str
    parent_id: str | None
    caller: str
    user: int = -1
    session: int = 0
    depth: int = 0
    region: int = -1
    sampled: bool = False
    deadline: float | None = None
    attempt: int = 1

    def chosen(self, share: float) -> bool:
        """True when this request is to be recorded in full: chosen upstream, or among that share of
        all requests. Services agree: whoever records a smaller share records a part of the same."""
        return self.sampled or lot(self.trace_id) < share

    def remaining_s(self) -> float | None:
        return None if self.deadline is None else self.deadline - time.perf_counter()


def lot(trace_id: str) -> float:
    """0 <= number < 1, the same in every process for one request. trace_id: hexadecimal or anything."""
    return zlib.crc32(trace_id.encode()) / 2**32


CURRENT: ContextVar[Context | None] = ContextVar("request_context", default=None)


class SpanIds:
    """Ids of 16 hex digits, unique among the processes of a run without drawing random numbers."""

    def __init__(self, instance: str, pid: int) -> None:
        self._prefix = f"{zlib.crc32(f'{instance}/{pid}'.encode()):08x}"
        self._count = itertools.count(1)

    def next(self) -> str:
        return f"{self._prefix}{next(self._count):08x}"


def headers(context: Context, span_id: str, caller: str, attempt: int = 1) -> tuple[tuple[str, str], ...]:
    """Metadata for a call made in `context` from the span `span_id`. A first try says nothing of being one."""
    flags = "01" if context.sampled else "00"
    place = f"{context.user},{context.session},{context.depth},{context.region},{int(context.sampled)}"
    said = (("traceparent", f"00-{context.trace_id}-{span_id}-{flags}"), ("x-caller", caller), ("x-place", place))
    return said if attempt == 1 else (*said, ("x-attempt", str(attempt)))


def parse(metadata: object, span_id: str, remaining_s: float | None) -> Context:
    """The context that arrived. Malformed headers count as absent: they are no reason to fail."""
    trace_id, parent_id, caller, place, attempt = "", None, "client", "", 1
    for key, value in metadata or ():  # type: ignore[attr-defined]
        if key == "traceparent":
            parts = value.split("-")
            if len(parts) == 4 and len(parts[1]) == 32 and len(parts[2]) == 16:
                trace_id, parent_id = parts[1], parts[2]
        elif key == "x-caller":
            caller = value[:40]
        elif key == "x-place":
            place = value
        elif key == "x-attempt" and value.isascii() and value.isdigit():
            attempt = max(1, int(value[:4]))
    # A client without a deadline shows as a remaining time of years: nobody waits that long.
    deadline = None if remaining_s is None or remaining_s > 1e6 else time.perf_counter() + remaining_s
    context = Context(trace_id, span_id, parent_id, caller, deadline=deadline, attempt=attempt)
    numbers = place.split(",")
    if len(numbers) == 5:
        try:
            context.user, context.session, context.depth, context.region, sampled = map(int, numbers)
            context.sampled = bool(sampled)
        except ValueError:
            pass
    return context
