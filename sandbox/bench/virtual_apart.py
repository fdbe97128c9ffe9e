"""What is measured in a process of its own, so that nothing else counts in its time and memory: a run, and a
drill with its twin, which loads no more than the command does."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from sandbox.base.worlds import load_manifest, world_dir
from sandbox.drill.scenario import library
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin.arms import ArmPlan

FLOOR_REQUESTS = 2_000
DRILL_S, DRILL_RATE = 600.0, 100.0  # wall seconds at 60x, requests per wall second


def run_of(world: str, n: int, place: Path) -> dict[str, float]:
    """A virtual run of about n requests without telemetry: what it cost, beside the floor of its batches."""
    from sandbox.bench.virtual_floor import floor_per_s
    from sandbox.virtual.stack import VirtualStack

    rate = DRILL_RATE
    stack = VirtualStack(world, place, seed=1, rate_per_s=rate, telemetry=False)
    began = time.process_time()
    stack.advance(stack.began_ts + n / rate * stack.world.speed)
    n_done, cpu_s = len(stack.ledger.requests.ts), time.process_time() - began
    batch = round(stack.gathering.n_answers / stack.gathering.n_batches)
    floor = floor_per_s(stack.content, batch, FLOOR_REQUESTS // batch)
    return {
        "requests": float(n_done),
        "cpu_s": cpu_s,
        "batch": float(batch),
        "floor_per_s": floor,
        "vs_floor": n_done / cpu_s / floor,
    }


def drill_with_twin(world: str, place: Path) -> dict[str, float]:
    """A drill of ten wall minutes at 100 requests a second and the same without its fault, beginning to
    end, with as many processes as a twin is given."""
    gentlest = library.gentlest()
    load = gentlest.load.model_copy(update={"rate_per_s": DRILL_RATE})
    scenario = gentlest.model_copy(update={"load": load})
    until_s = DRILL_S * scenario.world_rate
    plans = [ArmPlan(scenario, world, 1, faults, (), until_s) for faults in (True, False)]
    (place / "worlds").symlink_to(world_dir(world).parent)
    os.environ["SANDBOX_HOME"] = str(place)  # so that no run is found that was made before
    began = time.perf_counter()
    done = arm_runs.run_all(plans)
    wall_s = time.perf_counter() - began
    return {"wall_s": wall_s, "requests": float(sum(len(d.ledger.requests.ts) for d in done.values()))}


def main(arguments: list[str]) -> None:
    what, world, *rest = arguments
    load_manifest(world)
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        directory = Path(place)
        answer = (
            run_of(world, int(rest[0]), directory / "run") if what == "curve" else drill_with_twin(world, directory)
        )
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
