"""The driver: the process that runs one drill beside its stack. `python -m sandbox.drill.play.driver DIR`.

It holds the run directory's lock, keeps the traffic going and ticks the engine, until the report is in
or the stack is gone. Its arguments name a directory and nothing else.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from loadtest.runner import Load
from sandbox.base.errors import SandboxError
from sandbox.drill.play import drills
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.engine import Engine
from sandbox.drill.play.journal import Journal
from sandbox.drill.play.live_backend import LiveBackend
from sandbox.drill.play.on_load import OnLoad
from sandbox.runtime.stack import Stack

TICK_S = 0.25  # wall seconds between two looks at the clock: a quarter of a world minute at 60x


def drive(drill: Drill, stop: threading.Event) -> None:
    """Runs the drill to its end. Raises DRILL-004 when another one runs there, RUN-001 without a stack."""
    plan, scenario = drill.plan, drill.scenario
    stack = Stack.attach(Path(plan.run_dir))
    with drills.lock(stack.run_dir):
        clock = stack.run.clock()
        began_ts = clock.now()
        load = Load(stack.run, seed=plan.seed, shape=scenario.load, began_ts=began_ts)
        load.start()
        backend = LiveBackend(stack, began_ts)
        engine = Engine(scenario, backend, drill.journal, began_ts, plan.seed, plan.faults)
        try:
            engine.begin()
            while stack.alive and not stop.wait(TICK_S):
                if not engine.tick(clock.now()):
                    break
                backend.keep()
                keep_up(load, backend.load, drill.journal, clock.now())
        finally:
            with suppress(SandboxError, OSError):  # the stack may be gone already
                engine.finish(clock.now(), "the drill was ended")
            backend.close()
            with suppress(SandboxError):
                load.stop()


def keep_up(load: Load, bears: OnLoad, journal: Journal, now_ts: float) -> None:
    """Starts a load that has ended, and puts on it what it bore: a crowd goes on. now_ts: world seconds."""
    if not load.running:
        journal.append(now_ts, "engine", "failure", why="the load ended")
        load.start()
        bears.began_anew()
    if put_on := bears.settle():
        journal.append(now_ts, "engine", "rearmed", ids=put_on, why="the load was started again")


def main(arguments: list[str]) -> int:
    drill = Drill(Path(arguments[0]))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        drive(drill, stop)
    except Exception as error:  # the edge of the process: whoever started it reads the journal
        told = error.as_json() if isinstance(error, SandboxError) else {"seen": repr(error)}
        # Not on stderr: what it failed at may be the fault that it was to arm, and driver.log is plain.
        trace = traceback.format_exc()
        with suppress(OSError):
            drill.journal.append(0.0, "engine", "phase", name="failed", error=told, trace=trace)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
