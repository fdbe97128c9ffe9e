"""Locust's master and its workers under one plan: who has which part, when all begin, and what each has told.

A worker's requests, their histograms and what was acknowledged travel in Locust's own reports, once a second. So
whoever kills a worker takes with it what it did since its last one, and the master says so.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
import locust.runners
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from loadtest.clients import TIMEOUT_S
from loadtest.lab.gathered import Gathered, figures, report
from loadtest.lab.open_loop import plan_of
from loadtest.lab.told import append
from sandbox.base.run import RunInfo, latest_run

REPORT_S = 1.0
LATER_S = 4.0
LAST_S = 10.0  # to wait for the last reports of workers that are there
BEGIN, END, LAST = "load_begin", "load_end", "load_last"


def attach(environment: Environment) -> None:
    """Makes a master lead and a worker follow; nothing for a process alone."""
    locust.runners.WORKER_REPORT_INTERVAL = REPORT_S
    if isinstance(environment.runner, MasterRunner):
        environment.lead = Lead(environment, environment.runner)  # type: ignore[attr-defined]
    elif isinstance(environment.runner, WorkerRunner):
        environment.follow = Follow(environment, environment.runner)  # type: ignore[attr-defined]


class Lead:
    """The master: deals the plan out, and keeps what workers tell."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self._environment, self._runner = environment, runner
        self._gathered: Gathered | None = None
        self._over = False  # the plan is, and nobody ended it early
        self._run: RunInfo | None = None
        self._began_s = self._began_ts = 0.0
        environment.events.spawning_complete.add_listener(lambda **_: self._begin())
        environment.events.worker_report.add_listener(lambda client_id, data: self._take(client_id, data))
        runner.register_message(LAST, lambda msg, **_: self._take(msg.node_id, msg.data, last=True))

    def start(self) -> None:
        """Before workers are told to begin: what they cannot read where they are goes with their orders."""
        options: Any = self._environment.parsed_options
        self._run = RunInfo.load(Path(options.run_dir) if options.run_dir else latest_run())
        self._plan = plan_of(options)
        plan = None if self._plan is None else self._plan.document()
        options.orders = json.dumps({"run": asdict(self._run), "plan": plan})
        self._gathered, self._over = None, False

    def _begin(self) -> None:
        """Once, when all callers are there: later workers have no part."""
        if self._gathered is not None or self._run is None:
            return
        there = [client.id for client in self._runner.clients.all if client.state != STATE_MISSING]
        self._gathered = Gathered(there)
        self._began_s, self._began_ts = time.monotonic(), self._run.clock().now()
        options: Any = self._environment.parsed_options
        if options.acknowledged:  # whoever looks for it knows that all are there
            append(Path(options.acknowledged), [])
        for one, part in self._gathered.parts.items():
            self._runner.send_message(BEGIN, {"part": part.worker, "of": part.of}, one)
        if self._plan is not None:
            gevent.spawn(self._conduct, self._plan.seconds + TIMEOUT_S)

    def _conduct(self, seconds: float) -> None:
        """Ends the test when all have had time for an answer, or nobody is left."""
        while time.monotonic() - self._began_s < seconds and self._anybody():
            gevent.sleep(0.2)
        self._over = True
        self._runner.quit() if self._environment.web_ui is None else self._runner.stop()

    def _anybody(self) -> bool:
        return any(client.state != STATE_MISSING for client in self._runner.clients.all)

    def _take(self, worker: str, data: dict[str, Any], *, last: bool = False) -> None:
        told = data.get("lab")
        if self._gathered is None or told is None:
            return
        ids = self._gathered.take(worker, told, time.monotonic() - self._began_s, last=last)
        options: Any = self._environment.parsed_options
        if ids and options.acknowledged:
            append(Path(options.acknowledged), ids)

    def finish(self) -> None:
        """At the end, however it comes: asks for the last reports, and leaves what there is."""
        if self._gathered is None or self._run is None:
            return
        self._runner.send_message(END, {"over": self._over})
        give_up = time.monotonic() + LAST_S
        while self._gathered.waiting and time.monotonic() < give_up:
            for client in self._runner.clients.all:
                if client.state == STATE_MISSING and client.id in self._gathered.parts:
                    self._gathered.parts[client.id].gone = True
            gevent.sleep(0.05)
        self._leave(self._gathered, self._run)

    def _leave(self, gathered: Gathered, run: RunInfo) -> None:
        options: Any = self._environment.parsed_options
        requests, counts = gathered.requests(), gathered.counts()
        if options.requests:
            requests.save(Path(options.requests))
        if options.summary:
            made, acknowledged = counts.pop("told", 0), counts.pop("acknowledged", 0)
            Path(options.summary).write_text(json.dumps({
                **figures(requests, counts), "began_ts": self._began_ts,
                "feedback": {"made": made, "acknowledged": acknowledged, "unsure": made - acknowledged},
                "workers": gathered.document(self._plan),
            }))  # fmt: skip


class Follow:
    """A worker: plays its part when told to, and tells what came of it."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._environment, self._runner = environment, runner
        self._told = 0
        self._ended = False
        environment.events.report_to_master.add_listener(lambda client_id, data: self._report(data))
        runner.register_message(BEGIN, lambda msg, **_: self._begin(msg.data))
        runner.register_message(END, lambda msg, **_: self._end(msg.data["over"]), concurrent=True)

    def start(self) -> None:
        """A new test begins."""
        self._told, self._ended = 0, False

    def _begin(self, data: dict[str, Any]) -> None:
        traffic = self._traffic
        traffic.part = (int(data["part"]), int(data["of"]))
        traffic.began_ts = traffic.clock.now()
        traffic.ready.set()

    def _report(self, data: dict[str, Any]) -> None:
        if self._traffic is not None and not self._ended:
            data["lab"] = self._fresh(self._traffic)

    @property
    def _traffic(self) -> Any:
        """None before a test has begun."""
        return getattr(self._environment, "traffic", None)

    def _fresh(self, traffic: Any) -> dict[str, Any]:
        rows = traffic.ledger.requests(self._told)
        self._told += len(rows)
        counts = Counter(traffic.summary.counts)
        counts.update({"told": traffic.told.made, "acknowledged": traffic.told.n_acknowledged})
        return report(rows, counts, self._told, traffic.told.fresh())

    def _end(self, over: bool) -> None:
        """Makes no further request, waits for answers that are still to come, and tells the last. over: the plan is; who
        began a little later than the master has a little more to send."""
        traffic = self._traffic
        if traffic is None or self._ended:
            return
        if over:
            traffic.leader.join(LATER_S)
        traffic.leave()
        give_up = time.monotonic() + TIMEOUT_S
        while traffic.under_way and time.monotonic() < give_up:
            gevent.sleep(0.05)
        self._ended = True
        self._runner.send_message(LAST, {"lab": self._fresh(traffic)})
