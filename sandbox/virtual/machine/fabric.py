"""Processes, processor cores, calls between them: where queues form, deadlines pass and retries happen.

Nothing here is drawn to be slow: a process does one thing at a time, all of them share the machine's
cores, a handler pool is full when it is full, and who waits longer than its deadline gives up, while the
callee still finishes the burst that it is in.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle, repeat
from typing import Any

import numpy as np
from scipy.special import ndtri

from sandbox.base.config import Breaker, Edge
from sandbox.base.errors import KINDS, SandboxError
from sandbox.base.instances import instance_of, service_of
from sandbox.base.rows import Row, row_of
from sandbox.base.streams import drawn, further, keys, starts
from sandbox.virtual.machine.cores import Cores, Process
from sandbox.virtual.machine.gates import Gates
from sandbox.virtual.machine.instances import Instances
from sandbox.virtual.machine.loop import Loop, Signal, Wall, World
from sandbox.virtual.machine.rooms import Rooms
from sandbox.virtual.machine.timing import Timing, Work
from sandbox.virtual.machine.wire import Answered, Asking, Unread, Wire
from services.skeleton.breaker import FAILURES, REFUSED, CircuitBreaker
from services.skeleton.client import MARGIN_S
from services.skeleton.gate import Gate, shed_row
from services.skeleton.retries import Retries, backoff_s, ends_of
from services.skeleton.seams import Call, Place, Proceed, Seam, Seams
from services.skeleton.tally import Tally
from services.skeleton.urgency import share

N_DICE = 64  # noise values of one request; one that needs more begins again
_TURNS = keys(np.arange(N_DICE))


class CallError(SandboxError):
    """A call that came to nothing. code: of sandbox.base.errors. Its words are few: many are raised."""

    def __init__(self, code: str) -> None:
        Exception.__init__(self, code)
        self.code, self.kind = code, KINDS[code]
        self.status = self.kind.status
        self.where, self.seen = "a virtual call", code
        self.expected, self.fix = "an answer", "see the spans of both sides"

    @classmethod
    def of(cls, error: SandboxError) -> CallError:
        return error if isinstance(error, CallError) else cls(error.kind.code)


# The noise of one request, drawn for its place in the world and for nothing else: normal and uniform numbers.
Dice = Iterator[tuple[float, float]]

_NO_LUCK: Dice = repeat((0.0, 1.0))


def dice(seed: int, purpose: str, user: np.ndarray, session: np.ndarray, depth: np.ndarray) -> list[Dice]:
    """One for each place. user, session, depth: int64 [n]."""
    state = starts(seed, f"timing/{purpose}", f"timing/{purpose}/tail")[:, None]
    for part in (user, session, depth):
        state = further(state, keys(part))
    luck = drawn(further(state[:, :, None], _TURNS))
    normal = ndtri(np.minimum(np.maximum(luck[0], 1e-9), 1 - 1e-9))
    return [cycle(zip(n, u, strict=True)) for n, u in zip(normal.tolist(), luck[1].tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Pace:
    """A Work as plain numbers: reading an attribute of a pydantic model costs as much as a call does."""

    base_ms: float
    per_key_us: float
    sigma: float

    @classmethod
    def of(cls, work: Work) -> Pace:
        return cls(work.base_ms, work.per_key_us, work.sigma)


@dataclass(slots=True)
class Context:
    """What travels with a call. until: wall seconds by which its caller wants the answer. at: the process in which
    it is handled, None before it has come to one. given_up: the caller no longer waits. attempt: of its tries. client:
    the program that asks, where it is none of people's."""

    trace_id: str
    span_id: str
    parent_id: str | None
    caller: str
    user: int
    session: int
    depth: int
    region: int
    sampled: bool
    until: float
    dice: Dice
    at: Process | None = None
    given_up: bool = False
    attempt: int = 1
    client: str = ""


Handler = Callable[[Context], Awaitable[Any]]
Recording = Callable[[str, str, Row], None]  # service, table, values


class Fabric:
    """All processes of one run, a service's seams being those of all its instances. names: as sandbox.base.instances
    names processes. record: takes telemetry rows, None where nobody wants any."""

    def __init__(
        self, names: tuple[str, ...], loop: Loop, world: World, timing: Timing, record: Recording | None
    ) -> None:
        self.loop, self.world, self.timing, self.record = loop, world, timing, record
        self.instances = Instances(names, timing.pool, loop)
        self.processes = self.instances.processes
        self.seams = {service: Seams(world, Wall(loop)) for service in self.instances.services()}
        self.tallies: dict[tuple[str, str, str], Tally] = {}
        self._breakers: dict[tuple[str, str, str], CircuitBreaker] = {}
        self._retries: dict[tuple[str, str], Retries] = {}
        self._works = {op: (op.partition(".")[0], Pace.of(of)) for op, of in timing.work.items()}
        self._wires = {edge: Pace.of(work) for edge, work in timing.wire.items()}
        self._client_share = timing.client_share
        self._tail_share, self._tail_ms = timing.tail_share, timing.tail_ms
        self._cores = Cores(timing.cores, loop)
        self.rooms = Rooms(self.processes, self.seams, self._cores, timing.pool, self.log)
        self.gates = Gates(self.processes, loop, self.log)
        self._shed = Pace.of(timing.shed)
        self._spans = 0

    def is_armed(self) -> bool:
        """Whether a wrapper is on any seam."""
        return any(seams.armed() for seams in self.seams.values())

    def span(self) -> str:
        """The next span's id; empty where nobody records."""
        if self.record is None:
            return ""
        self._spans += 1
        return f"{self._spans:016x}"

    def seconds(self, work: Work | Pace, n_keys: int, dice: Dice) -> float:
        normal, uniform = next(dice)
        ms = (work.base_ms + work.per_key_us * n_keys / 1000) * math.exp(work.sigma * normal)
        if uniform < self._tail_share:
            ms -= self._tail_ms * math.log(max(uniform / self._tail_share, 1e-9))
        return ms / 1000

    def usual_seconds(self, op: str, n_keys: int) -> float:
        """The same of work that belongs to no request, and draws no luck."""
        return self.seconds(self._works[op][1], n_keys, _NO_LUCK)

    def handled_by(self, context: Context, service: str) -> Process:
        """The process in which a call is handled; the service's first where it has come to none."""
        return context.at or self.processes[service]

    @types.coroutine
    def burst(self, process: Process, seconds: float) -> Generator[None, None, None]:
        """The process works for so long, once it is free and a core is."""
        if self._cores.line_up(process, seconds):
            yield

    @types.coroutine
    def work(self, op: str, context: Context, n_keys: int = 0, share: float = 1.0) -> Generator[None, None, None]:
        """A share of an operation's own work, where it is handled. op: "service.Method". Raises CallError when nobody
        waits."""
        name, pace = self._works[op]
        seconds = share * self.seconds(pace, n_keys, context.dice)
        if self._cores.line_up(context.at or self.processes[name], seconds):
            yield
        if context.given_up:
            raise CallError("WIRE-004")

    async def call(
        self, caller: str, callee: str, op: str, edge: Edge, context: Context, handler: Handler, *,
        n_keys: int | None = None, size: int = 0, wire: Callable[[], Wire] | None = None,
    ) -> Any:  # fmt: skip
        """What the callee's handler returns. Raises CallError: WIRE-004, WIRE-005, WIRE-008, what the
        callee raised, or WIRE-001 where a wrapper's answer cannot be unpacked. wire: how the call would read as
        messages, asked for where the seam is armed. As services.skeleton.client.Callee does it."""
        until = min(self.loop.now + edge.deadline_ms / 1000, context.until - MARGIN_S)
        own = context.at or self.processes[caller]
        breaker = self._breaker(own, callee, edge.path, edge.breaker) if edge.breaker else None
        retries = self._retries_of(own.name, callee)
        retries.called(edge)
        for attempt in range(1, edge.attempts + 1):
            to, ends = self.instances.next(own, callee, edge.path), ends_of(edge, self.loop.now, until)
            try:
                answer = await self._attempt(
                    own, to, op, edge.path, context, handler, ends, attempt, n_keys, size, breaker, wire
                )
                if type(answer) is Answered:
                    return answer.unpacked()
                return answer
            except SandboxError as error:
                failure = CallError.of(error)
                if not retries.follows(edge, failure.code, attempt, self.loop.now, until):
                    raise failure from None
                self._tally(own, to, edge.path).retries += 1
            if wait_s := backoff_s(edge, attempt):
                await self.loop.sleep_until(min(self.loop.now + wait_s, until))
        raise AssertionError("the last attempt returns or raises")

    def _tally(self, caller: Process, callee: Process, path: str) -> Tally:
        edge = (caller.name, callee.name, path)
        tally = self.tallies.get(edge)
        if tally is None:
            tally = self.tallies[edge] = Tally()
        return tally

    def _retries_of(self, caller: str, callee: str) -> Retries:
        retries = self._retries.get((caller, callee))
        if retries is None:
            retries = self._retries[caller, callee] = Retries()
        return retries

    def _breaker(self, caller: Process, callee: str, path: str, settings: Breaker) -> CircuitBreaker:
        edge = (caller.name, callee, path)
        breaker = self._breakers.get(edge)
        if breaker is None or not breaker.fits(settings):
            log = partial(self.log, caller.name, callee=callee, path=path)
            breaker = self._breakers[edge] = CircuitBreaker(settings, log)
        return breaker

    def log(self, process: str, level: str, msg: str, context: Context | None = None, **fields: object) -> None:
        """A line of a process's log: of the one that handles the call, where it is about one."""
        if self.record is not None:
            trace = context.trace_id if context is not None else None
            if context is not None and context.at is not None:
                process = context.at.name
            service = service_of(process)
            self.record(service, "logs", row_of.logs(
                ts=self.world.now(), service=service, instance=instance_of(process), level=level, msg=msg,
                fields=json.dumps(fields, default=str), trace_id=trace,
            ))  # fmt: skip

    def forget_calls(self, caller: str) -> None:
        """A process that starts again has only closed breakers and full budgets, and has called nobody yet."""
        for callee in [callee for one, callee in self._retries if one == caller]:
            del self._retries[caller, callee]
        for edge in [edge for edge in self._breakers if edge[0] == caller]:
            del self._breakers[edge]
        self.instances.forget_calls(caller)

    async def _attempt(
        self, own: Process, to: Process, op: str, path: str, context: Context, handler: Handler,
        until: float, attempt: int, n_keys: int | None, size: int, breaker: CircuitBreaker | None,
        wire: Callable[[], Wire] | None,
    ) -> Any:  # fmt: skip
        loop, tally, began = self.loop, self._tally(own, to, path), self.loop.now
        span_id, status = self.span(), "OK"
        inner = Context(
            context.trace_id, self.span(), span_id, own.service, context.user, context.session, context.depth,
            context.region, context.sampled, until, context.dice, to, False, attempt,
        )  # fmt: skip
        admitted, failed = REFUSED, None  # by the breaker; what it is told
        tally.inflight += 1
        try:
            if until <= began:
                raise CallError("WIRE-004")
            if breaker and not (admitted := breaker.admit(began)):
                raise CallError("WIRE-008")
            sent = self._sent(own, to, op, path, inner, handler, size, wire)
            task = loop.spawn(sent, fails_with=CallError)
            if not await loop.wait(task, until):
                inner.given_up = True
                raise CallError("WIRE-004")
            if task.failure is not None:
                raise task.failure
            failed = False
            return task.value
        except CallError as failure:
            status, failed = failure.status, failure.code in FAILURES
            tally.failed += 1
            raise
        finally:
            tally.inflight -= 1
            if breaker and admitted:
                breaker.ended(admitted, loop.now, failed)
            if self.record is not None:
                duration_ms = (loop.now - began) * 1000
                tally.durations_ms.append(duration_ms)
                self.record(own.service, "spans", row_of.spans(
                    ts=self.world.began_ts + began * self.world.speed, trace_id=context.trace_id,
                    span_id=span_id, parent_id=context.span_id, service=own.service,
                    instance=own.instance, op=op, kind="client", peer=to.service, dur_ms=duration_ms,
                    status=status, attempt=attempt, n_keys=n_keys, bytes=size,
                ))  # fmt: skip

    def _sent(
        self, own: Process, to: Process, op: str, path: str, inner: Context, handler: Handler, size: int,
        wire: Callable[[], Wire] | None,
    ) -> Coroutine[Any, Any, Any]:  # fmt: skip
        """An attempt on its way, through the caller's seam where that is armed."""
        seam = self.seams[own.service].rpc
        if not seam and not self.seams[to.service].handle:
            return self._send(own, to, op, inner, handler, size)
        assert wire is not None, "a call through an armed seam says how it reads"
        return self._wrapped(seam, own, to, op, path, inner, handler, size, wire())

    async def _wrapped(
        self, seam: Seam, own: Process, to: Process, op: str, path: str, inner: Context, handler: Handler, size: int,
        wire: Wire,
    ) -> Any:  # fmt: skip
        """What wrappers on either side make of an attempt."""

        async def sent(changed: Any) -> Any:
            chosen = handler if changed is None else wire.handler(changed)

            async def handled(context: Context) -> Any:
                return await self._handled(to, own.service, op, context, chosen, wire, changed)

            armed = bool(self.seams[to.service].handle)
            return await self._send(own, to, op, inner, handled if armed else chosen, size)

        if not seam:
            return await sent(None)
        call = Asking(
            "rpc", own.service, to.service, op, inner.user, inner.session, inner.depth, inner.region, path,
            instance=to.instance,
        )  # fmt: skip
        return await self._looked_at(seam, call, wire, sent)

    async def _handled(
        self, at: Process, caller: str, op: str, context: Context, handler: Handler, wire: Wire, request: Any
    ) -> Any:
        """What wrappers in the callee make of a call. request: None for the one that `wire` would send."""

        async def done(changed: Any) -> Any:
            return await (handler if changed is None else wire.handler(changed))(context)

        call = Asking(
            "handle", at.service, caller, op, context.user, context.session, context.depth, context.region,
            instance=at.instance,
        )  # fmt: skip
        if request is not None:
            call.payload = request
        return await self._looked_at(self.seams[at.service].handle, call, wire, done)

    async def _looked_at(self, seam: Seam, call: Asking, wire: Wire, go: Callable[[Any], Awaitable[Any]]) -> Any:
        """The handler's own value, or an `Answered` where wrappers changed that. go: takes the request as they hand it
        on, None where it is as it was."""
        call.wire = wire
        came: list[Unread] = []

        async def proceed(given: Call) -> Any:
            came.append(Unread(await go(call.changed_in(given)), wire))
            return came[-1]

        answer = await self.through(seam, call, proceed)
        try:
            return Answered.of(answer, wire, came)
        except SandboxError as error:
            raise CallError.of(error) from error

    async def through(self, seam: Seam, call: Call, proceed: Proceed) -> Any:
        """What an armed seam makes of a call. Raises CallError, whatever a wrapper raised."""
        try:
            return await seam.run(call, proceed)
        except SandboxError as error:
            raise CallError.of(error) from error

    async def _send(self, own: Process, to: Process, op: str, inner: Context, handler: Handler, size: int) -> Any:
        if inner.given_up:
            raise CallError("WIRE-004")
        loop = self.loop
        wire = self.seconds(self._wires[f"{own.service}->{to.service}"], 0, inner.dice)
        ours = wire * self._client_share
        away = (wire - ours) / 2
        await self.burst(own, ours)
        await loop.sleep_until(loop.now + away)
        value = await self.serve(to.service, op, inner, handler, size)
        await loop.sleep_until(loop.now + away)
        return value

    async def serve(
        self, name: str, op: str, context: Context, handler: Handler, size: int,
        on_shed: Callable[[Context], None] | None = None,
    ) -> Any:  # fmt: skip
        """The callee's side: a handler of its pool, its span. name: of its service. on_shed: is told where it is turned
        away before that."""
        loop, process = self.loop, context.at or self.processes[name]
        context.at = process
        arrived, status = loop.now, "OK"
        if arrived < process.down_until:
            raise CallError("WIRE-005")
        gate = None if process.gate is None else await self._let_in(process, process.gate, op, context, size, on_shed)
        if process.inflight >= process.handlers:
            turn = Signal()
            process.waiting.append(turn)
            await loop.wait(turn)  # who leaves hands its place on
        else:
            process.inflight += 1
        queue_ms = (loop.now - arrived) * 1000
        try:
            if process.room is not None and not context.given_up:
                place = Place(context.user, context.session, context.depth, context.region)
                await loop.sleep_until(loop.now + process.room.held_s(op, place))
            if context.given_up:
                raise CallError("WIRE-004")
            return await handler(context)
        except SandboxError as error:
            failure = CallError.of(error)
            status = "CANCELLED" if context.given_up else failure.status
            raise failure from None
        except Exception as error:
            if not self.is_armed():
                raise  # nothing but this model itself is to blame: it must not pass for a failing service
            status = "INTERNAL"
            self.log(name, "error", "handler failed", context, op=op, error=repr(error))
            raise CallError("WIRE-006") from error
        finally:
            if gate is not None:
                gate.left(arrived, loop.now, context.given_up)
            if process.waiting and process.inflight <= process.handlers:
                loop.fire(process.waiting.popleft())
            else:
                process.inflight -= 1
            if self.record is not None:
                self.record(name, "spans", row_of.spans(
                    ts=self.world.began_ts + arrived * self.world.speed, trace_id=context.trace_id,
                    span_id=context.span_id, parent_id=context.parent_id, service=name,
                    instance=process.instance, op=op, kind="server", peer=context.caller,
                    dur_ms=(loop.now - arrived) * 1000, queue_ms=queue_ms, status=status,
                    bytes=size,
                ))  # fmt: skip

    async def _let_in(
        self,
        process: Process,
        gate: Gate,
        op: str,
        context: Context,
        size: int,
        on_shed: Callable[[Context], None] | None,
    ) -> Gate | None:
        """As services.skeleton.host has it: the gate that is told of the call's end, None where it is not counted."""
        its = share(op, attempt=context.attempt, client=context.client, feedback=gate.settings.feedback)
        refusal, arrived = gate.enter(its), self.loop.now
        if refusal is None:
            return None if its is None else gate
        await self.burst(process, self.seconds(self._shed, 0, context.dice))
        if on_shed is not None:
            on_shed(context)
        if self.record is not None:
            ts, service, instance = self.world.began_ts + arrived * self.world.speed, process.service, process.instance
            self.record(service, "shed", shed_row(
                refusal, ts=ts, trace_id=context.trace_id, service=service, instance=instance, op=op,
                caller=context.caller, attempt=context.attempt,
            ))  # fmt: skip
            self.record(service, "spans", row_of.spans(
                ts=ts, trace_id=context.trace_id, span_id=context.span_id, parent_id=context.parent_id, service=service,
                instance=instance, op=op, kind="server", peer=context.caller, dur_ms=(self.loop.now - arrived) * 1000,
                queue_ms=0.0, status=KINDS["WIRE-010"].status, bytes=size,
            ))  # fmt: skip
        raise CallError("WIRE-010")
