"""One service process: server, health, reflection, admin, handlers with spans, graceful drain."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sandbox.base.clock import WallClock
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.instances import process_of
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc
from services.skeleton.client import Callee
from services.skeleton.context import CURRENT, Context, SpanIds, parse
from services.skeleton.directory import Directory
from services.skeleton.exchange import Exchange, Handler
from services.skeleton.gate import Gate, shed_row
from services.skeleton.keeper import Keeper
from services.skeleton.messages import checked, kinds
from services.skeleton.metrics import Metrics
from services.skeleton.pool import Pool, Turn
from services.skeleton.seams import Call, Seams
from services.skeleton.status import grpc_status
from services.skeleton.telemetry import Telemetry
from services.skeleton.urgency import share

MAX_CONCURRENT = 64  # handlers at once unless settings say; further calls queue, seen as queue_ms and pool_queue
DRAIN_S = 5.0  # wall seconds that calls in progress get after SIGTERM


class Servicer(Protocol):
    """What a service's server.py provides: its RPC methods, and these three."""

    async def start(self) -> None: ...
    async def reconfigure(self, config: Config) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Registration:
    """name: of the service. build: makes the servicer for a host. descriptor: of the protobuf service.
    A process without RPCs of its own (the stream processor) leaves it out and still has health, admin,
    metrics and telemetry."""

    name: str
    build: Callable[[Host], Any]
    descriptor: ServiceDescriptor | None = None


class Host:
    """What a servicer has around it: its run, configuration, clocks, seams, telemetry and callees."""

    def __init__(self, name: str, run: RunInfo, instance: str) -> None:
        self.name, self.run, self.instance = name, run, instance
        self.world, self.wall = run.clock(), WallClock()
        self.seams = Seams(self.world, self.wall)
        self.telemetry = Telemetry(run.collector_socket, name, instance, self.seams)
        self.spans = SpanIds(instance, os.getpid())
        self.metrics = Metrics(name)
        self.config = Config.load(run.path)
        self.directory = Directory(run.path)
        self.callees: dict[str, Callee] = {}
        self.pool = Pool(self.max_handlers)
        self.keeper = Keeper(name, self.seams, self.pool, self.telemetry)
        self.telemetry.gauges = lambda: (self.pool.waiting, self.pool.inflight)
        self.gate: Gate | None = None  # where there is a limit on calls in flight
        self.on_shed: Callable[[Any, Context, SandboxError], None] = lambda request, context, error: None
        self.set_gate()

    @property
    def max_handlers(self) -> int:
        """What its settings give it."""
        return self.config.handlers(self.name, MAX_CONCURRENT)

    def set_gate(self) -> None:
        """As its settings say: one there is goes on, with what it has found out."""
        wanted, now = self.config.concurrency(self.name), time.perf_counter()
        if wanted is None or self.gate is None:
            self.gate = None if wanted is None else Gate(wanted, now, partial(self.telemetry.log))
        else:
            self.gate.follow(wanted, now)

    def callee(self, name: str, stub: Callable[[aio.Channel], Any]) -> Callee:
        """The client side of the edge from this service to `name`."""
        self.callees[name] = Callee(
            name, self._instances(name), stub, service=self.name, telemetry=self.telemetry,
            seams=self.seams, spans=self.spans, policy=lambda: self.config.balancing(self.name),
        )  # fmt: skip
        return self.callees[name]

    def _instances(self, service: str) -> dict[str, str]:
        """Instance -> address of those that can be called; of all by the run's plan where nobody tells, or none can."""
        return self.directory.instances(service) or self.run.instances(service)

    async def sample_edges(self) -> None:
        """Each wall second: looks up the callees' instances anew, and samples what went to them, and what its own gate
        let in."""
        while True:
            await asyncio.sleep(1.0)
            if self.gate is not None:
                self.telemetry.row("limits", self.gate.sampled(self.world.now(), self.name, self.instance))
            changed = self.directory.changed()
            for callee in self.callees.values():
                if changed:
                    callee.follow(self._instances(callee.name))
                callee.sample(1.0)
                await callee.tidy()


class AdminServicer(admin_pb2_grpc.AdminServicer):
    def __init__(self, host: Host, servicer: Servicer) -> None:
        self.host, self.servicer = host, servicer

    async def Reload(self, request: Any, context: Any) -> Any:
        config = Config.load(self.host.run.path)
        await self.servicer.reconfigure(config)
        self.host.config = config
        self.host.keeper.settle(self.host.max_handlers)
        self.host.set_gate()
        self.host.telemetry.log("info", "configuration reloaded", version=config.version)
        return admin_pb2.ReloadResponse(config_version=config.version)

    async def Describe(self, request: Any, context: Any) -> Any:
        config = self.host.config
        return admin_pb2.DescribeResponse(
            service=self.host.name,
            instance=self.host.instance,
            config_version=config.version,
            config_json=getattr(config, self.host.name).model_dump_json(),
            dropped_rows=self.host.telemetry.dropped,
        )


def _handler(
    host: Host, op: str, method: Callable[..., Awaitable[Any]], parse_request: Callable[[bytes], Any]
) -> Handler:
    """`method` with its context, queue, span, metrics and typed errors around it; bytes in, bytes out."""
    telemetry, metrics, quiet = host.telemetry, host.metrics, op in ("Reload", "Describe")

    async def answered(request: Any, context: Context) -> Any:
        if quiet or not host.seams.handle:
            return await method(request, context)
        call = Call(
            "handle", host.name, context.caller, op, context.user, context.session, context.depth,
            context.region, payload=request, instance=host.instance,
        )  # fmt: skip
        takes, answers = kinds(host.name, op)

        async def proceed(c: Call) -> Any:
            return await method(checked(c.payload, takes, f"{host.name}.{op}"), context)

        return checked(await host.seams.handle.run(call, proceed), answers, f"{host.name}.{op}")

    async def handle(raw: bytes, call: Any) -> bytes:
        began, began_world, status = time.perf_counter(), telemetry.world.now(), "OK"
        context = parse(call.invocation_metadata(), host.spans.next(), call.time_remaining())
        CURRENT.set(context)
        turn, answer, gate = Turn(host.pool), b"", None
        try:
            request = _parsed(parse_request, raw, host, op)
            if not quiet:  # who puts a process right does not wait for its handlers
                if host.gate is not None:
                    gate = _let_in(host.gate, host, op, request, context)
                await turn.begin()
            if host.seams.process:
                await turn.hold(host.keeper.held_s(op, context))
            answer = (await answered(request, context)).SerializeToString()
            return answer
        except SandboxError as error:
            status = error.kind.status
            await call.abort_with_status(grpc_status(error))
            raise  # never reached: the abort raises
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except Exception as error:
            status = "INTERNAL"
            telemetry.log("error", "handler failed", context.trace_id, op=op, error=repr(error))
            failure = SandboxError(
                "WIRE-006",
                where=f"{host.name}.{op}",
                seen=repr(error)[:300],
                expected="an answer",
                fix=f"see the log of {host.name}",
            )
            await call.abort_with_status(grpc_status(failure))
            raise  # never reached: the abort raises
        finally:
            queue_ms = turn.end() * 1000
            seconds = time.perf_counter() - began
            if gate is not None:
                gate.left(began, began + seconds, status == "CANCELLED")
            metrics.handled(op, status, seconds)
            if not quiet:
                telemetry.row("spans", row_of.spans(
                    ts=began_world, trace_id=context.trace_id, span_id=context.span_id,
                    parent_id=context.parent_id, service=host.name, instance=host.instance, op=op,
                    kind="server", peer=context.caller, dur_ms=seconds * 1000, queue_ms=queue_ms,
                    status=status, bytes=len(raw) + len(answer),
                ))  # fmt: skip

    return handle


def _let_in(gate: Gate, host: Host, op: str, request: Any, context: Context) -> Gate | None:
    """The gate that has to be told of the call's end, None where it is not counted. Raises WIRE-010."""
    attempt = max(context.attempt, getattr(request, "attempt", 1))
    its = share(op, attempt=attempt, client=getattr(request, "client", ""), feedback=gate.settings.feedback)
    refusal = gate.enter(its)
    if refusal is None:
        return None if its is None else gate
    host.metrics.shed(op, refusal.reason)
    error = refusal.error(f"{host.name}.{op}")
    host.on_shed(request, context, error)
    host.telemetry.row("shed", shed_row(
        refusal, ts=host.world.now(), trace_id=context.trace_id, service=host.name, instance=host.instance, op=op,
        caller=context.caller, attempt=attempt,
    ))  # fmt: skip
    raise error


def _parsed(parse_request: Callable[[bytes], Any], raw: bytes, host: Host, op: str) -> Any:
    try:
        return parse_request(raw)
    except DecodeError as error:
        raise SandboxError(
            "WIRE-007",
            where=f"{host.name}.{op}",
            seen=raw[:40].hex(),
            expected="the request's protobuf",
            fix="send a message of services/proto/recsys/v1",
        ) from error


def _handlers(host: Host, servicer: Any, descriptor: ServiceDescriptor) -> dict[str, Handler]:
    """All methods of a service. They parse their own bytes, so that malformed ones get a typed error."""
    return {
        method.name: _handler(
            host, method.name, getattr(servicer, method.name), GetMessageClass(method.input_type).FromString
        )
        for method in descriptor.methods
    }


def _one_by_one(descriptor: ServiceDescriptor, handlers: Mapping[str, Handler]) -> grpc.GenericRpcHandler:
    """The methods of a service as gRPC has them: each call by itself."""
    methods = {name: grpc.unary_unary_rpc_method_handler(handle) for name, handle in handlers.items()}
    return grpc.method_handlers_generic_handler(descriptor.full_name, methods)


async def serve(host: Host, registration: Registration, stop: asyncio.Event) -> None:
    """Runs the service until `stop` is set, then drains. Raises what `start` raises, e.g. MODEL-002.

    The servicer's methods take (request, Context) and may raise SandboxError.
    """
    servicer = registration.build(host)
    server = aio.server(options=(("grpc.max_receive_message_length", 16 << 20), ("grpc.so_reuseport", 0)))
    admin = AdminServicer(host, servicer)
    descriptors = {admin_pb2.DESCRIPTOR.services_by_name["Admin"]: admin}
    if registration.descriptor:
        descriptors[registration.descriptor] = servicer
    carried: dict[str, Handler] = {}
    for descriptor, implementation in descriptors.items():
        handlers = _handlers(host, implementation, descriptor)
        carried |= {f"/{descriptor.full_name}/{name}": handle for name, handle in handlers.items()}
        server.add_generic_rpc_handlers((_one_by_one(descriptor, handlers),))
    exchange = Exchange(carried)
    server.add_generic_rpc_handlers((exchange.generic(),))
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    names = [d.full_name for d in descriptors]
    reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    process = process_of(host.instance)
    address, metrics_address = host.run.addresses[process], host.run.metrics[process]
    host.metrics.inflight.set_function(lambda: host.pool.inflight)
    host.metrics.limit.set_function(lambda: 0 if host.gate is None else host.gate.limit)
    try:
        server.add_insecure_port(address)
        host.metrics.listen(metrics_address)
    except (RuntimeError, OSError) as error:
        raise SandboxError(
            "RUN-006",
            where=f"{process}, {address} and {metrics_address}",
            seen=str(error),
            expected="free ports",
            fix="stop what listens there, or start the stack anew: it picks free ports",
        ) from error
    await host.telemetry.start()
    host.keeper.start()
    sampler = asyncio.create_task(host.sample_edges())
    await servicer.start()
    await server.start()
    gc.collect()
    gc.freeze()  # what is loaded stays: full collections need not walk it (tail latency)
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    host.telemetry.log("info", "ready", address=address)
    await stop.wait()
    host.telemetry.log("info", "draining", inflight=host.pool.inflight)
    await healthy.enter_graceful_shutdown()
    exchange.leave()
    await server.stop(DRAIN_S)
    sampler.cancel()
    host.keeper.stop()
    await servicer.stop()
    for callee in host.callees.values():
        await callee.close()
    await host.telemetry.stop()
