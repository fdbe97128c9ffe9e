"""Locust in an open loop: requests are made when the plan says, by whoever's turn it is, and wait for no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.queue import Queue

from loadtest.clients import TIMEOUT_S
from loadtest.lab.arrivals import arrivals, chosen_item
from loadtest.lab.crowd import Crowd
from loadtest.lab.plan import SHAPES, Plan
from loadtest.sessions import Visit

MADE = tuple(name for name in SHAPES if name != "replay")
VISITS = "visits"
UNTIL_STOPPED_S = 3_600.0  # of a load without an end of its own
Ask = Callable[[Any, Visit, float, int], float]


class OpenLoop:
    """The arrivals of one plan on one Locust process. traffic: what its users share (`locustfile.Traffic`)."""

    def __init__(self, traffic: Any, plan: Plan) -> None:
        self._traffic, self._plan = traffic, plan
        item = chosen_item(plan, traffic.behaviour.n_items) if plan.shape == "flash-crowd" else None
        self._crowd = Crowd(traffic.next_of_part, item, traffic.mood)
        self._due: Queue[tuple[float, int]] = Queue()

    def conduct(self) -> None:
        """Hands each arrival out when its time has come; ends the test when all have had time for an answer. A worker
        does so with its part, and leaves the end to its master."""
        traffic = self._traffic
        whole = arrivals(self._plan)
        traffic.ready.wait()  # callers that are still being made would be late for the first
        found = whole.part(*traffic.part)
        traffic.began_ts = began_ts = traffic.clock.now()
        for at_s, who in zip(found.at_s.tolist(), found.who.tolist(), strict=True):
            intended = began_ts + at_s * traffic.run.speed
            traffic.sleep_until(intended)
            self._due.put((intended, who))
        traffic.sleep_until(began_ts + self._plan.seconds * traffic.run.speed)
        gevent.sleep(TIMEOUT_S)
        if traffic.led:
            return
        runner = traffic.environment.runner
        # The end of a test kills this very greenlet. Where Locust shows its page, the page stays.
        gevent.spawn(runner.quit if traffic.environment.web_ui is None else runner.stop)

    def play(self, ask: Ask) -> None:
        """One arrival's request, when there is one."""
        intended, who = self._due.get()
        visit = self._crowd.next(who, self._traffic.clock.now())
        self._crowd.back(who, visit, ask(self._traffic, visit, intended, who))


def plan_of(options: Any) -> Plan | None:
    """From Locust's options: a plan's JSON file, or a shape by name at the rate, factor and seed of the others; None for
    the world's own visits. Raises CFG-004 for what can't be."""
    if options.plan:
        return Plan.of(json.loads(Path(options.plan).read_text()))
    if options.arrivals == VISITS:
        return None
    seconds = float(options.run_time) if isinstance(options.run_time, int) else UNTIL_STOPPED_S
    return Plan(
        options.arrivals, rate=options.rate, seconds=seconds, seed=options.load_seed, factor=options.factor
    )  # fmt: skip


def ordered(options: Any) -> Plan | None:
    """The plan that a worker's master tells."""
    told = json.loads(options.orders)["plan"]
    return None if told is None else Plan.of(told)


def status_of(error: Any) -> str:
    """The name of a failed call's gRPC status."""
    code = error.code() if hasattr(error, "code") else None
    return str(getattr(code, "name", "UNKNOWN"))
