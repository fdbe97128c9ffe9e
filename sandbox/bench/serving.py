"""CPU per recommendation, summed over all services, beside two floors of the same run."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from sandbox.base.catalogue import Catalogue
from sandbox.base.run import GRPC_PROCESSES
from sandbox.bench import echo, stats
from sandbox.bench.driving import K, users_of
from sandbox.bench.processes import conditions, cpu_s
from sandbox.bench.stats import Report
from sandbox.runtime.local.processes import child_environment
from sandbox.runtime.stack import Stack
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc

IDLE_S = 4.0  # wall seconds without calls, to know what runs anyway
WARM_UP = 100  # recommendations before the measurement


def measure(stack: Stack, n: int) -> Report:
    """n recommendations, one after the other, through the running stack.

    cpu_ms: all services and the stream processor, less their idle use. cpu_vs_kernels: against the
    same cores in one process; cpu_vs_floor: against that plus as many bare echo calls of the same
    sizes. Redis and the collector (telemetry) stand apart: the floors count neither.
    """
    report = Report(conditions=conditions(world=stack.run.world, n=n, k=K, calls_in_flight=1))
    pids = {s["name"]: s["pid"] for s in stack.status()["services"]}
    idle = _idle_share(list(pids.values()))
    latencies_ms, busy, wall_s = asyncio.run(_drive(stack, pids, n))
    cost = {name: stats.per_call_ms(busy[pid], idle[pid], wall_s, n) for name, pid in pids.items()}
    total = sum(cost[name] for name in GRPC_PROCESSES)
    floor = _kernels(stack.run_dir, n)
    sizes = floor["sizes"]
    caller_ms, server_ms = _echoes([tuple(sizes[name]) for name in sizes], n // 2)
    outer_caller_ms, _ = _echoes([tuple(sizes["gateway"])], n)
    echo_ms = caller_ms + server_ms - outer_caller_ms  # the client's own side is no service's cost
    report.figures |= {
        "cpu_ms": total,
        "kernels_cpu_ms": floor["cpu_ms"],
        "echo_cpu_ms": echo_ms,
        "floor_cpu_ms": floor["cpu_ms"] + echo_ms,
        "latency_p50_ms": stats.quantile(latencies_ms, 0.5),
        "latency_p99_ms": stats.quantile(latencies_ms, 0.99),
        **{f"cpu_{name}_ms": ms for name, ms in cost.items()},
        "idle_cpu_share": sum(idle.values()),
    }
    report.ratios |= {"cpu_vs_kernels": total / floor["cpu_ms"], "cpu_vs_floor": total / (floor["cpu_ms"] + echo_ms)}
    return report


def _idle_share(pids: list[int]) -> dict[int, float]:
    """CPU seconds per wall second of each process while nobody calls."""
    before, began = cpu_s(pids), time.perf_counter()
    time.sleep(IDLE_S)  # the quiet itself is what is measured
    wall_s = time.perf_counter() - began
    after = cpu_s(pids)
    return {pid: (after[pid] - before[pid]) / wall_s for pid in pids}


async def _drive(stack: Stack, pids: dict[str, int], n: int) -> tuple[list[float], dict[int, float], float]:
    """Latencies, CPU seconds by process, and wall seconds of n recommendations."""
    run = stack.run
    catalogue = Catalogue.load(Path(run.world_dir) / "public" / "catalogue.npz")
    users = users_of(catalogue, n, run.seed).tolist()
    latencies_ms: list[float] = []
    async with aio.insecure_channel(run.addresses["gateway"]) as channel:
        stub = gateway_pb2_grpc.RecommenderStub(channel)

        async def ask(user: int, session: int) -> Any:
            request = gateway_pb2.RecommendRequest(
                user_id=user, k=K, session_id=str(session), depth=1, surface="home", client="app"
            )
            return await stub.Recommend(request, timeout=2.0)

        for i, user in enumerate(users[:WARM_UP]):
            await _patiently(ask, user, 10_000_000 + i)
        before, start = cpu_s(pids.values()), time.perf_counter()
        for i, user in enumerate(users):
            began = time.perf_counter()
            await _patiently(ask, user, i + 1)
            latencies_ms.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.5)  # appends and telemetry of the last calls belong to them
        wall_s = time.perf_counter() - start
        after = cpu_s(pids.values())
    return latencies_ms, {pid: after[pid] - before[pid] for pid in before}, wall_s


async def _patiently(ask: Any, user: int, session: int) -> None:
    """A call that is too late on a busy machine is asked again: it costs, and is counted, all the same."""
    for _ in range(3):
        try:
            await ask(user, session)
            return
        except aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                raise


def _kernels(run_dir: Path, n: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.bench.kernels", str(run_dir), str(n)],
        env=child_environment(),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _echoes(sizes: echo.Sizes, rounds: int) -> tuple[float, float]:
    with echo.running(child_environment()) as (pid, address):
        return asyncio.run(echo.cost_ms(address, pid, sizes, max(rounds, 1)))
