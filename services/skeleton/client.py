"""The calling side of an edge: deadline, retry, circuit breaker, two network paths to each instance, client
spans, per-second figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

from grpc import aio

from sandbox.base.config import Breaker, Edge
from sandbox.base.errors import SandboxError
from sandbox.base.rows import row_of
from services.skeleton.balancer import ROUND_ROBIN
from services.skeleton.breaker import FAILURES, REFUSED, CircuitBreaker
from services.skeleton.context import CURRENT, Context, SpanIds, headers
from services.skeleton.lines import Line, Lines
from services.skeleton.messages import checked, kinds
from services.skeleton.retries import Retries, backoff_s, ends_of
from services.skeleton.seams import Call, Seams
from services.skeleton.status import from_rpc_error
from services.skeleton.telemetry import Telemetry

MARGIN_S = 0.002  # kept back from the caller's own budget, to answer with a fallback


class Callee:
    """One callee, as this process calls it: an instance of it at a time."""

    def __init__(
        self, name: str, addresses: Mapping[str, str], stub: Callable[[aio.Channel], Any], *,
        service: str, telemetry: Telemetry, seams: Seams, spans: SpanIds, policy: Callable[[], str] = lambda: ROUND_ROBIN,
    ) -> None:  # fmt: skip
        """addresses: of its instances, by name. policy: which of them takes a call, as services.skeleton.balancer
        knows it; asked where there are several."""
        self.name, self.service = name, service
        self.telemetry, self.seams, self.spans = telemetry, seams, spans
        self._lines = {path: Lines(stub, addresses, policy) for path in "ab"}
        self._breakers: dict[str, CircuitBreaker] = {}  # by path
        self._retries = Retries()

    def follow(self, addresses: Mapping[str, str]) -> None:
        """There are these instances now. Calls in progress end where they are."""
        for lines in self._lines.values():
            lines.follow(addresses)

    async def call(self, op: str, request: Any, edge: Edge, *, n_keys: int | None = None) -> Any:
        """The callee's answer. Raises SandboxError: WIRE-004, WIRE-005, WIRE-008 or what the callee raised.

        Waits no longer than the edge's deadline and what is left of the caller's own. Each attempt passes
        the edge's circuit breaker by itself, and ends the call where that is open. Whether another follows is
        `Retries`' affair.
        """
        context = CURRENT.get() or Context("0" * 32, "0" * 16, None, self.service)
        until = time.perf_counter() + edge.deadline_ms / 1000
        if context.deadline is not None:
            until = min(until, context.deadline - MARGIN_S)
        breaker = self._breaker(edge.path, edge.breaker) if edge.breaker else None
        self._retries.called(edge)
        for attempt in range(1, edge.attempts + 1):
            line, ends = self._lines[edge.path].pick(), ends_of(edge, time.perf_counter(), until)
            try:
                return await self._attempt(op, request, edge.path, line, context, ends, attempt, n_keys, breaker)
            except SandboxError as error:
                if not self._retries.follows(edge, error.kind.code, attempt, time.perf_counter(), until):
                    raise
                line.tally.retries += 1
            if wait_s := backoff_s(edge, attempt):
                await asyncio.sleep(min(wait_s, max(0.0, until - time.perf_counter())))
        raise AssertionError("the last attempt returns or raises")

    def _breaker(self, path: str, settings: Breaker) -> CircuitBreaker:
        """The path's own: the one there is, or a closed one where the settings are other than its."""
        breaker = self._breakers.get(path)
        if breaker is None or not breaker.fits(settings):
            log = partial(self.telemetry.log, callee=self.name, path=path)
            breaker = self._breakers[path] = CircuitBreaker(settings, log)
        return breaker

    async def _attempt(
        self, op: str, request: Any, path: str, line: Line, context: Context,
        until: float, attempt: int, n_keys: int | None, breaker: CircuitBreaker | None,
    ) -> Any:  # fmt: skip
        tally, span_id, status = line.tally, self.spans.next(), "OK"
        began_world, began = self.telemetry.world.now(), time.perf_counter()
        admitted, failed = REFUSED, None  # by the breaker; what it is told
        tally.inflight += 1
        size = request.ByteSize()
        try:
            if until <= began:
                raise self._late(line, "no time left before the call")
            if breaker and not (admitted := breaker.admit(began)):
                raise self._left_alone(line, breaker)
            answer = await self._send(op, request, path, line, context, span_id, until, attempt)
            size += answer.ByteSize()
            failed = False
            return answer
        except SandboxError as error:
            status, failed = error.kind.status, error.kind.code in FAILURES
            tally.failed += 1
            raise
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        finally:
            tally.inflight -= 1
            ended = time.perf_counter()
            if breaker and admitted:
                breaker.ended(admitted, ended, failed)
            duration_ms = (ended - began) * 1000
            tally.durations_ms.append(duration_ms)
            self.telemetry.row("spans", row_of.spans(
                ts=began_world, trace_id=context.trace_id, span_id=span_id,
                parent_id=context.span_id, service=self.service, instance=self.telemetry.instance,
                op=op, kind="client", peer=self.name, dur_ms=duration_ms, status=status,
                attempt=attempt, n_keys=n_keys, bytes=size,
            ))  # fmt: skip

    async def _send(
        self, op: str, request: Any, path: str, line: Line, context: Context, span_id: str, until: float, attempt: int
    ) -> Any:
        left = until - time.perf_counter()
        metadata = headers(context, span_id, self.service, attempt)
        method = getattr(line.stub, op)
        try:
            if not self.seams.rpc:
                return await method(request, timeout=left, metadata=metadata)
            call = Call(
                "rpc", self.service, self.name, op, context.user, context.session, context.depth,
                context.region, path, deepcopy(request),  # another attempt begins with what was asked
                instance=line.instance,
            )  # fmt: skip

            takes, answers = kinds(self.name, op)

            async def proceed(c: Call) -> Any:
                rest = until - time.perf_counter()
                changed = checked(c.payload, takes, f"{self._edge(line)}, {op}")
                try:
                    return await method(changed, timeout=max(rest, 0.0), metadata=metadata)
                except aio.AioRpcError as error:
                    raise from_rpc_error(error, self._edge(line)) from None

            async with asyncio.timeout(left):
                answer = await self.seams.rpc.run(call, proceed)
            return checked(answer, answers, f"{self._edge(line)}, {op}")
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._edge(line)) from None
        except TimeoutError:
            raise self._late(line, "deadline passed in the call") from None

    def _edge(self, line: Line) -> str:
        """For errors: caller->callee, or its instance where there are several."""
        several = len(self._lines["a"]) > 1
        return f"{self.service}->{line.instance if several else self.name}"

    def _late(self, line: Line, seen: str) -> SandboxError:
        return SandboxError(
            "WIRE-004",
            where=self._edge(line),
            seen=seen,
            expected="an answer within the deadline",
            fix="see the spans of both sides; the slower one is the cause",
        )

    def _left_alone(self, line: Line, breaker: CircuitBreaker) -> SandboxError:
        return SandboxError(
            "WIRE-008",
            where=self._edge(line),
            seen=f"a breaker that is {breaker.state}",
            expected="a callee that answered of late",
            fix="see the caller's logs for when it opened, and the spans before that for why",
        )

    def sample(self, seconds: float) -> None:
        """Writes one row of rpc_edges for each instance and path that was used since the last sample."""
        for path, lines in self._lines.items():
            for line in lines:
                row = line.tally.sampled(
                    self.telemetry.world.now(), seconds, caller=self.service, callee=self.name,
                    instance=line.instance, path=path, conn_state=line.state.name,
                )  # fmt: skip
                if row is not None:
                    self.telemetry.row("rpc_edges", row)

    async def tidy(self) -> None:
        """To be called regularly: keeps connections to all instances, and closes what nobody calls any more."""
        for lines in self._lines.values():
            await lines.tidy()

    async def close(self) -> None:
        for lines in self._lines.values():
            await lines.close()
