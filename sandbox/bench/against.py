"""This checkout's stack and another's, in turns on one machine: CPU per recommendation of each, and the largest rate."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sandbox.base.progress import ProgressFn
from sandbox.bench import driving, knees, turns
from sandbox.bench.checkout import APART, OWN, Checkout, HeldStack, held
from sandbox.bench.driving import Asking, Measured, Taken, turn_of
from sandbox.bench.paired import scratch
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report, quantile
from sandbox.runtime.building import ensure_built

SEED = 1
ROUNDS = 5  # of A B B A
SIDES = ("this", "against")


class StackSide:
    """A held stack as a side of `driving.in_turns`."""

    def __init__(self, stack: HeldStack) -> None:
        self.name, self.stack = stack.name, stack
        self.asking = Asking(stack.gateway, stack.world_dir, SEED)

    def resume(self) -> None:
        self.stack.resume()

    def pause(self) -> None:
        self.stack.pause()

    def turn(self, first: int, n: int, began_s: list[float]) -> Taken:
        return turn_of(self.asking.calling, self.stack.cpu_s, first, n, [])


def measure(world: str, root: Path, n: int, with_knee: bool, progress: ProgressFn) -> Report:
    """n recommendations of each, one after the other, in turns.

    cpu_ms_this, cpu_ms_against: per recommendation, all processes on its way and the stream processor, less what they use
    without calls; cpu_all_ms_ with Redis, the collector and the batch job. cpu_vs_against: of the former, this over the
    other, with its interval. with_knee: also the largest rate of each with p99 < 150 ms, the generator on the same cores:
    knee_per_s_, knee_vs_against, and all trials under `knee`; `stopped` there says that a Ctrl-C ended it early. Raises CFG-002, CFG-004 for what is no checkout, and what a stack says that does not start.
    """
    other = Checkout.at(root)
    ensure_built(world, progress)
    own = Checkout.at(OWN)
    report = Report(conditions=conditions(
        world=world, n=n, k=driving.K, calls_in_flight=1, turns=2 * ROUNDS,
        sides={name: checkout.conditions() for name, checkout in zip(SIDES, (own, other), strict=True)},
    ))  # fmt: skip
    with scratch() as place, ExitStack() as open_:
        sides = [
            StackSide(open_.enter_context(held(checkout, name, world, place, progress)))
            for name, checkout in zip(SIDES, (own, other), strict=True)
        ]
        found = driving.in_turns(sides, n, ROUNDS, progress)
        _costs(report, sides, found)
        if with_knee:
            _knees(report, [side.stack for side in sides], progress)
    return report


def _costs(report: Report, sides: list[StackSide], found: Measured) -> None:
    costs = {}
    for side in sides:
        name = side.name
        of = turns.costs_ms(found.turns[name], APART)
        every = turns.costs_ms(found.turns[name])
        costs[name] = [sum(cost.values()) for cost in of]
        report.figures |= {
            f"cpu_ms_{name}": sum(costs[name]) / len(of),
            f"cpu_all_ms_{name}": sum(sum(cost.values()) for cost in every) / len(every),
            **{f"cpu_{process}_ms_{name}": sum(c[process] for c in every) / len(every) for process in every[0]},
            f"degraded_share_{name}": side.asking.degraded_share,
            f"idle_cpu_share_{name}": sum(turns.idle_shares(found.turns[name]).values()),
            f"latency_p50_ms_{name}": quantile(found.latencies_ms[name], 0.5),
            f"latency_p99_ms_{name}": quantile(found.latencies_ms[name], 0.99),
        }
    report.hold("cpu_vs_against", turns.ratio(costs["this"], costs["against"]))


def _knees(report: Report, stacks: list[HeldStack], progress: ProgressFn) -> None:
    found, stopped = knees.search(stacks, SEED, progress)
    told = {name: of.document(SEED) for name, of in found.items()}
    report.details["knee"] = {"slo": knees.SLO.text, "trial_s": knees.TRIAL_S, "stopped": stopped, **told}
    for name, of in told.items():
        if of["rate"] is not None:
            report.figures[f"knee_per_s_{name}"] = of["rate"]
    if (both := knees.ratio(told["this"], told["against"])) is not None:
        report.hold("knee_vs_against", both)
