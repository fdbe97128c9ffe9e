"""What the users of one Locust process share: who comes when, the way to the stack, and what is kept of it all."""

from __future__ import annotations

import heapq
import itertools
import time
from pathlib import Path
from typing import Any

import gevent
import grpc
from gevent.event import Event
from gevent.queue import Queue
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtest.clients import Gateway, Rows
from loadtest.lab.elsewhere import run_of
from loadtest.lab.ledger import Ledger
from loadtest.lab.open_loop import OpenLoop, ordered, plan_of
from loadtest.lab.told import Acknowledgements
from loadtest.orders import Orders
from loadtest.runner import LOAD
from loadtest.schedule import Schedule
from loadtest.sessions import requests_per_session
from loadtest.summary import Summary
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import WallClock
from sandbox.base.load import TrafficShape
from sandbox.runtime import load_test
from sandbox.runtime.arming.armoury import Armoury
from sandbox.world.behaviour import Behaviour
from services.skeleton.seams import Seams

KEEP_S = 5.0  # wall, between two looks at the disk
LOOK_S = 0.1  # wall; a session drawn anew is late by so much at most


class Traffic:
    """What the users of one Locust process share."""

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        self.run = run_of(options)
        self.clock = self.run.clock()
        self.behaviour = Behaviour.load(Path(self.run.world_dir))
        seams = Seams(self.clock, WallClock())
        self.schedule = self._schedule(options, seams)
        self.due: Queue[tuple[float, int, int]] = Queue()  # sessions that nobody has begun yet
        self.orders = Orders(self.run.control_socket(LOAD), Armoury(LOAD, seams), self.schedule, self.clock)
        self.slate_size = options.slate_size
        self.gateway, self.rows, self.summary = Gateway(self.run), Rows(self.run), Summary()
        self.mood: dict[int, float] = {}
        self.environment: Any = environment
        self.led = isinstance(environment.runner, WorkerRunner)  # by a master, which says when to begin and to end
        self.part, self.ready, self.under_way = (0, 1), Event(), 0
        self.leader: Any = None  # the greenlet that hands out what is due
        if not self.led:
            environment.events.spawning_complete.add_listener(lambda **_: self.ready.set())
        self.began_ts, self.ledger = self.clock.now(), Ledger()
        self.told = Acknowledgements(Path(options.acknowledged) if options.acknowledged else None, hold=self.led)
        plan = ordered(options) if self.led else plan_of(options)
        self.open_loop = None if plan is None else OpenLoop(self, plan)
        self._later: list[tuple[float, int, list[Any]]] = []  # a heap: what is still to happen
        self._count = itertools.count()
        self._kept, self._keeping_s = time.monotonic(), 0.0

    def _schedule(self, options: Any, seams: Seams) -> Schedule:
        catalogue = Catalogue.load(Path(self.run.world_dir) / "public" / "catalogue.npz")
        if options.shape:
            return Schedule.of(
                TrafficShape.model_validate_json(options.shape), self.behaviour, self.clock.now(),
                self.run.speed, options.load_seed, catalogue=catalogue, seam=seams.traffic,
                began_ts=options.began_ts,
            )  # fmt: skip
        per_world_s = options.rate / self.run.speed / requests_per_session(self.behaviour)
        return Schedule(
            self.behaviour, self.clock.now(), per_world_s, options.load_seed, shaped=options.diurnal,
            catalogue=catalogue, seam=seams.traffic, speed=self.run.speed,
        )  # fmt: skip

    def sleep_until(self, ts: float) -> None:
        """Not a moment less: a timer may go off a little early."""
        gevent.sleep(0)
        while (wait_s := (ts - self.clock.now()) / self.run.speed) > 0:
            gevent.sleep(wait_s)

    def usher(self) -> None:
        """Runs for the whole test: hands each session out when its time has come, not before: until
        then it may be drawn anew."""
        if self.led:
            self.ready.wait()
            self.schedule.due(self.clock.now())  # who came before all were there has gone
        while True:
            for session in filter(self._mine, self.schedule.due(self.clock.now())):
                self.due.put(session)
            wait_s = (self.schedule.next_ts() - self.clock.now()) / self.run.speed
            gevent.sleep(min(max(0.0, wait_s), LOOK_S))

    def _mine(self, session: tuple[float, int, int]) -> bool:
        """Whether this process plays it: of several each has its own users, whose moods it knows."""
        worker, of = self.part
        return session[1] % of == worker

    def next_of_part(self) -> tuple[float, int, int]:
        """The next visit of the world that this process plays, whenever it would begin."""
        while not self._mine(session := self.schedule.take()):
            pass
        return session

    def take_orders(self) -> None:
        """Where it is the load that is told things, it goes on with a load test that outlived the load before it."""
        if self.orders.start():
            self.schedule.test(load_test.read(self.run), self.clock.now())

    def leave(self) -> None:
        """Begins nothing more."""
        gevent.killall(self.environment.background)
        self.rows.flush()

    def postpone(self, ts: float, batch: list[Any]) -> None:
        """Sends feedback in one call when its time has come; never where the test ends before."""
        heapq.heappush(self._later, (ts, next(self._count), batch))

    def housekeeping(self) -> None:
        """Runs for the whole test: sends what is due, and the rows."""
        while True:
            while self._later and self._later[0][0] <= self.clock.now():
                gevent.spawn(self.send, heapq.heappop(self._later)[2])
            self.rows.flush()
            self.told.flush()
            self.keep(every_s=KEEP_S)
            gevent.sleep(LOOK_S)

    def wall_s(self, ts: float) -> float:
        """Wall seconds since the load began, of a world time."""
        return (ts - self.began_ts) / self.run.speed

    def keep(self, every_s: float = 0.0) -> None:
        """Leaves all requests so far on disk, so that whatever ends this process ends no more than this process."""
        path = self.environment.parsed_options.requests if self.environment.parsed_options else ""
        if (
            path
            and not self.led
            and time.monotonic() - self._kept >= max(every_s, 50 * self._keeping_s * bool(every_s))
        ):
            began = time.monotonic()
            self.ledger.requests().save(Path(path))
            self._kept = time.monotonic()
            self._keeping_s = self._kept - began  # the larger it grows the more seldom it is done

    def send(self, batch: list[Any]) -> None:
        began, error = time.perf_counter(), None
        self.under_way += 1
        try:
            self.gateway.feedback(batch)
        except grpc.RpcError as failure:
            error = failure
        finally:
            self.under_way -= 1
        self.told.sent((event.event_id for event in batch), answered=error is None)
        report(self.environment, "LogFeedback", began, error)


def report(environment: Environment, name: str, began: float, error: Exception | None) -> None:
    environment.events.request.fire(
        request_type="grpc", name=name, response_time=(time.perf_counter() - began) * 1000,
        response_length=0, exception=error, context={},
    )  # fmt: skip
