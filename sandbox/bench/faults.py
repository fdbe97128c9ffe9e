"""What the seams cost while nothing is armed, and how exact an injected delay is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from grpc import aio

from faults.arming import wrapper_for
from sandbox.base.clock import WallClock
from sandbox.base.config import Edge
from sandbox.base.features import USER_PROFILE
from sandbox.base.run import RunInfo
from sandbox.bench import stats
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report
from sandbox.runtime.stack import Stack
from services.proto.recsys.v1 import features_pb2, features_pb2_grpc
from services.skeleton.client import Callee
from services.skeleton.context import Context, SpanIds, headers
from services.skeleton.lines import Line
from services.skeleton.seams import Seams
from services.skeleton.telemetry import Telemetry

N_BLOCK = 50  # calls
DELAY_MS = 100.0
N_DELAYED = 40
EDGE = Edge(deadline_ms=5_000)


class Bypassed(Callee):
    """The same calling side, with the seam cut out of it."""

    async def _send(
        self, op: str, request: Any, path: str, line: Line, context: Context, span_id: str, until: float, attempt: int
    ) -> Any:
        left = until - time.perf_counter()
        metadata = headers(context, span_id, self.service, attempt)
        method = getattr(line.stub, op)
        try:
            return await method(request, timeout=left, metadata=metadata)
        except aio.AioRpcError:
            raise AssertionError("the features service of the bench does not answer") from None


def measure(stack: Stack, n: int) -> Report:
    """n calls of each kind in blocks by turns.

    throughput_unarmed: calls per CPU second of the caller with the seam unarmed, over those with the
    seam cut out; median over pairs of blocks, its noise beside it. CPU, because other work on the
    machine moves the wall clock by more than a seam does; the caller's alone, because that is where
    the seam is: counting the callee too would only make the share look smaller.
    delay_error_ms: by how much the median call under an injected 100 ms misses the median of plain
    calls made in turns with them, plus 100 ms.
    """
    report = Report(conditions=conditions(world=stack.run.world, n=n, calls_in_flight=1))
    bypassed, unarmed, plain, delayed = asyncio.run(_measure(stack.run, max(2, n // N_BLOCK)))
    ratio, noise = stats.paired_ratio(bypassed, unarmed)  # CPU per block: the more, the slower
    report.figures |= {
        "caller_cpu_unarmed_ms": stats.median(unarmed) / N_BLOCK * 1000,
        "caller_cpu_bypassed_ms": stats.median(bypassed) / N_BLOCK * 1000,
        "throughput_unarmed_noise": noise,
        "plain_call_ms": stats.median(plain),
        "delayed_call_ms": stats.median(delayed),
        "delay_error_ms": abs(stats.median(delayed) - stats.median(plain) - DELAY_MS),
    }
    report.ratios["throughput_unarmed"] = ratio
    return report


def _callee(cls: type[Callee], run: RunInfo) -> Callee:
    seams = Seams(run.clock(), WallClock())
    telemetry = Telemetry(run.collector_socket, "gateway", "bench", seams)
    return cls(
        "features", run.instances("features"), features_pb2_grpc.FeaturesStub,
        service="gateway", telemetry=telemetry, seams=seams, spans=SpanIds("bench", 0),
    )  # fmt: skip


async def _measure(run: RunInfo, n_blocks: int) -> tuple[list[float], ...]:
    """CPU seconds per block bypassed and unarmed, and milliseconds of plain and of delayed calls."""
    cut, seamed = _callee(Bypassed, run), _callee(Callee, run)
    bypassed, unarmed, plain, delayed = list[float](), list[float](), list[float](), list[float]()
    await _block(cut), await _block(seamed)
    for i in range(n_blocks):  # ABBA: what drifts hits both alike
        pair = [(cut, bypassed), (seamed, unarmed)]
        for callee, series in pair if i % 2 else reversed(pair):
            series.append(await _block(callee))
    spec = {"fault": "rpc-edge-latency", "params": {"delay_ms": DELAY_MS}}
    name, wrapper = wrapper_for(spec, seamed.seams, "gateway")
    seam = seamed.seams.named(name)
    for _ in range(N_DELAYED):
        plain.append(await _timed_ms(seamed))
        seam.put(wrapper)
        delayed.append(await _timed_ms(seamed))
        seam.take_off(wrapper)
    await cut.close()
    await seamed.close()
    return bypassed, unarmed, plain, delayed


async def _block(callee: Callee) -> float:
    began = time.process_time()
    for _ in range(N_BLOCK):
        await _call(callee)
    callee.telemetry._rows.clear()  # nobody collects the bench's own spans
    callee.telemetry._n = 0
    return time.process_time() - began


async def _timed_ms(callee: Callee) -> float:
    began = time.perf_counter()
    await _call(callee)
    return (time.perf_counter() - began) * 1000


async def _call(callee: Callee) -> None:
    request = features_pb2.GetUserRequest(user_id=1, views=[USER_PROFILE.name])
    await callee.call("GetUser", request, EDGE)
