"""CPU per recommendation, summed over all services, in turns with two floors, each ratio with its interval."""

from __future__ import annotations

from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import GRPC_PROCESSES
from sandbox.bench import stats, transport, turns
from sandbox.bench.driving import K, in_turns
from sandbox.bench.floors import StackItself, floors
from sandbox.bench.paired import scratch
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report
from sandbox.bench.way import COUNTED
from sandbox.runtime.stack import Stack

ROUNDS = 5  # of stack, hot, cold, cold, hot, stack


def measure(stack: Stack, n: int, progress: ProgressFn = quiet) -> Report:
    """n recommendations, one after the other, through the running stack, in turns with its floors.

    cpu_ms: all services and the stream processor, less their idle use. cpu_vs_kernels: against the same cores in one
    process; cpu_vs_floor: against that plus as many bare echo calls of the same sizes, all hot. cpu_vs_cold_floor: on_way_cpu_ms,
    the services without events and the stream processor, over cold_floor_cpu_ms, as many bare processes with those
    cores, called in the same order and with the same pauses. What events and the stream processor do for themselves is
    counted on neither side of it; the call to events is made on both, and its caller's part is counted. Redis and the
    collector (telemetry) stand apart: the floors count neither.
    """
    report = Report(conditions=conditions(
        world=stack.run.world, n=n, k=K, calls_in_flight=1, turns=2 * ROUNDS, floor=transport.described(),
        cold_floor={"processes": list(COUNTED), "events_and_stream": "on neither side"},
    ))  # fmt: skip
    progress("starting the floors", None)
    with scratch() as place, floors(stack, place) as (hot, cold):
        itself = StackItself(stack, stack.run.seed)
        found = in_turns([itself, hot, cold], n, ROUNDS, progress)
    costs = {side: turns.costs_ms(of) for side, of in found.turns.items()}

    def summed(side: str, names: tuple[str, ...]) -> list[float]:
        return [sum(cost[name] for name in names) for cost in costs[side]]

    cpu, on_way = summed("stack", GRPC_PROCESSES), summed("stack", COUNTED)
    kernels, echo = summed("hot", ("kernels",)), summed("hot", ("echo",))
    floor, cold_floor = summed("hot", ("kernels", "echo")), summed("cold", COUNTED)
    latencies = found.latencies_ms
    figures = {
        "cpu_ms": cpu, "on_way_cpu_ms": on_way, "kernels_cpu_ms": kernels, "echo_cpu_ms": echo, "floor_cpu_ms": floor,
        "cold_floor_cpu_ms": cold_floor,
        **{f"cpu_{name}_ms": summed("stack", (name,)) for name in costs["stack"][0]},
        **{f"cold_floor_{name}_cpu_ms": summed("cold", (name,)) for name in COUNTED},
    }  # fmt: skip
    report.figures |= {name: sum(of) / len(of) for name, of in figures.items()}
    report.figures |= {
        "latency_p50_ms": stats.quantile(latencies["stack"], 0.5),
        "latency_p99_ms": stats.quantile(latencies["stack"], 0.99),
        "cold_floor_latency_p50_ms": stats.quantile(latencies["cold"], 0.5),
        "degraded_share": itself.asking.degraded_share,
        "idle_cpu_share": sum(turns.idle_shares(found.turns["stack"]).values()),
    }
    report.hold("cpu_vs_kernels", turns.ratio(cpu, kernels))
    report.hold("cpu_vs_floor", turns.ratio(cpu, floor))
    report.hold("cpu_vs_cold_floor", turns.ratio(on_way, cold_floor))
    return report
