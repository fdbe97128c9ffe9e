"""Locust drives the gateway with the world's users: `locust -f loadtest/locustfile.py`, or `sandbox load run`.

Each Locust user plays sessions from the world's arrival schedule. When all are busy the next session
starts late: its intended and its actual time are both recorded, so that waiting cannot hide. With --arrivals it is
single requests that come by a plan of the load lab, whoever is still waiting for an answer.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import gevent
import grpc
import grpc.experimental.gevent as grpc_gevent
from gevent.queue import Queue
from locust import User, events, task
from locust.env import Environment

from loadtest.clients import Gateway, Rows
from loadtest.feedback import event_id, sendings
from loadtest.lab.arrivals import PERSON
from loadtest.lab.ledger import OK, Ledger
from loadtest.lab.open_loop import MADE, OpenLoop, plan_of, status_of
from loadtest.lab.told import Acknowledgements
from loadtest.orders import Orders
from loadtest.runner import LOAD
from loadtest.schedule import Schedule
from loadtest.sessions import Reaction, Visit, requests_per_session
from loadtest.summary import Summary
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import WallClock
from sandbox.base.load import TrafficShape
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo, latest_run
from sandbox.runtime.arming.armoury import Armoury
from sandbox.world.behaviour import Behaviour
from services.proto.recsys.v1 import gateway_pb2
from services.skeleton.seams import Seams

KEEP_S = 5.0  # wall, between two looks at the disk
LOOK_S = 0.1  # wall; a session drawn anew is late by so much at most

grpc_gevent.init_gevent()


@events.init_command_line_parser.add_listener
def _arguments(parser: Any) -> None:
    group = parser.add_argument_group("recommender sandbox")
    group.add_argument("--run-dir", default="", help="run directory; default the latest")
    group.add_argument("--rate", type=float, default=20.0, help="requests per wall second to aim at")
    group.add_argument("--slate-size", type=int, default=10, help="items asked for")
    group.add_argument("--load-seed", type=int, default=1, help="seed of who comes when")
    group.add_argument("--diurnal", action="store_true", help="follow the hours of the day")
    group.add_argument("--shape", default="", help="rate over time, JSON of sandbox.base.load")
    group.add_argument("--began-ts", type=float, default=0.0, help="world time that --shape counts from")
    group.add_argument("--summary", default="", help="file for a summary as JSON")
    group.add_argument("--arrivals", default="", help=f"plan of the lab: a JSON file, or one of {', '.join(MADE)}")
    group.add_argument("--requests", default="", help="file for all requests, npz")
    group.add_argument("--acknowledged", default="", help="file for ids of acknowledged feedback, a line each")


class Traffic:
    """What the users of one Locust process share."""

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        self.run = RunInfo.load(Path(options.run_dir) if options.run_dir else latest_run())
        self.clock = self.run.clock()
        self.behaviour = Behaviour.load(Path(self.run.world_dir))
        seams = Seams(self.clock, WallClock())
        self.schedule = self._schedule(options, seams)
        self.due: Queue[tuple[float, int, int]] = Queue()  # sessions that nobody has begun yet
        self.orders = Orders(self.run.control_socket(LOAD), Armoury(LOAD, seams), self.schedule, self.clock)
        self.slate_size = options.slate_size
        self.gateway, self.rows, self.summary = Gateway(self.run), Rows(self.run), Summary()
        self.mood: dict[int, float] = {}
        self.environment = environment
        self.began_ts, self.ledger = self.clock.now(), Ledger()
        self.told = Acknowledgements(Path(options.acknowledged) if options.acknowledged else None)
        self.open_loop = OpenLoop(self, plan_of(options)) if options.arrivals else None
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
            catalogue=catalogue, seam=seams.traffic,
        )  # fmt: skip

    def sleep_until(self, ts: float) -> None:
        """Not a moment less: a timer may go off a little early."""
        gevent.sleep(0)
        while (wait_s := (ts - self.clock.now()) / self.run.speed) > 0:
            gevent.sleep(wait_s)

    def usher(self) -> None:
        """Runs for the whole test: hands each session out when its time has come, not before: until
        then it may be drawn anew."""
        while True:
            for session in self.schedule.due(self.clock.now()):
                self.due.put(session)
            wait_s = (self.schedule.next_ts() - self.clock.now()) / self.run.speed
            gevent.sleep(min(max(0.0, wait_s), LOOK_S))

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
        if path and time.monotonic() - self._kept >= max(every_s, 50 * self._keeping_s * bool(every_s)):
            began = time.monotonic()
            self.ledger.requests().save(Path(path))
            self._kept = time.monotonic()
            self._keeping_s = self._kept - began  # the larger it grows the more seldom it is done

    def send(self, batch: list[Any]) -> None:
        began = time.perf_counter()
        error = None
        try:
            self.gateway.feedback(batch)
        except grpc.RpcError as failure:
            error = failure
        self.told.sent((event.event_id for event in batch), answered=error is None)
        _report(self.environment, "LogFeedback", began, error)


def _report(environment: Environment, name: str, began: float, error: Exception | None) -> None:
    environment.events.request.fire(
        request_type="grpc", name=name, response_time=(time.perf_counter() - began) * 1000,
        response_length=0, exception=error, context={},
    )  # fmt: skip


@events.test_start.add_listener
def _start(environment: Any, **_: Any) -> None:
    environment.traffic = traffic = Traffic(environment)
    leader = traffic.usher if traffic.open_loop is None else traffic.open_loop.conduct
    environment.background = [gevent.spawn(traffic.housekeeping), gevent.spawn(leader)]
    traffic.orders.start()


@events.test_stop.add_listener
def _stop(environment: Any, **_: Any) -> None:
    traffic: Traffic = environment.traffic
    gevent.killall(environment.background)
    traffic.orders.stop()
    gevent.sleep(0.6)  # the last rows' flush interval
    traffic.rows.flush()
    traffic.told.flush()
    traffic.keep()
    path = environment.parsed_options.summary if environment.parsed_options else ""
    if path:
        Path(path).write_text(
            json.dumps(traffic.summary.document() | {"began_ts": traffic.began_ts, "feedback": traffic.told.document()})
        )


class SlateUser(User):
    """A client program that plays one visit after another."""

    @task
    def visit(self) -> None:
        traffic: Traffic = self.environment.traffic
        if traffic.open_loop is not None:
            traffic.open_loop.play(self._request)
            return
        intended, user, session = traffic.due.get()
        script = traffic.schedule.script_of(session)
        visit = Visit(user, session, traffic.mood.get(user, 0.5), script=script)
        while not visit.over:
            intended = self._request(traffic, visit, intended)
            if not visit.over:
                traffic.sleep_until(intended)
        if script is None:
            traffic.mood[user] = visit.satisfaction

    def _request(self, traffic: Traffic, visit: Visit, intended: float, who: int = PERSON) -> float:
        """Asks, tells what came of it, and returns the world time of the next request, inf for none."""
        started, began, error, answer = traffic.clock.now(), time.perf_counter(), None, None
        try:
            answer = traffic.gateway.recommend(visit.user, visit.session, visit.depth + 1, traffic.slate_size, 1)
        except grpc.RpcError as failure:
            error = failure
        answered, rt_ms = traffic.clock.now(), (time.perf_counter() - began) * 1000
        _report(self.environment, "Recommend", began, error)
        items = [item.item_id for item in answer.items] if answer is not None else []
        request_id = answer.request_id if answer is not None else None
        wait_ms = (started - intended) / traffic.run.speed * 1000
        traffic.rows.add(row_of.locust(
            ts=started, user_class=type(self).__name__, request_id=request_id, intended_ts=intended,
            started_ts=started, wait_ms=wait_ms, rt_ms=rt_ms, ok=error is None, n_items=len(items),
        ))  # fmt: skip
        reactions = visit.answer(traffic.behaviour, items, rt_ms)
        traffic.ledger.add(
            traffic.wall_s(intended), traffic.wall_s(started), traffic.wall_s(started) + rt_ms / 1000, who,
            OK if error is None else status_of(error), answer is not None and answer.degraded,
        )  # fmt: skip
        traffic.summary.add(wait_ms, rt_ms, error is None, len(items), reactions)
        next_ts = math.inf if visit.over else answered + visit.think_s(traffic.behaviour)
        if request_id:
            self._tell(traffic, visit, request_id, reactions, answered, next_ts)
        return next_ts

    def _tell(
        self, traffic: Traffic, visit: Visit, request_id: str, reactions: list[Reaction],
        answered: float, next_ts: float,
    ) -> None:  # fmt: skip
        """Sends what the user does before asking for more; the rest is left for its time."""
        events = [_event(visit, request_id, n, reaction, answered) for n, reaction in enumerate(reactions)]
        for call in sendings(reactions, answered, next_ts, traffic.run.speed):
            batch = [events[n] for n in call.numbers]
            if visit.over or call.ts >= next_ts or traffic.open_loop is not None:
                traffic.postpone(call.ts, batch)
            else:
                traffic.sleep_until(call.ts)
                traffic.send(batch)


def _event(visit: Visit, request_id: str, number: int, reaction: Reaction, answered: float) -> Any:
    return gateway_pb2.Feedback(
        event_id=event_id(request_id, reaction.kind, number), event_ts=answered + reaction.after_s,
        request_id=request_id, session_id=str(visit.session), user_id=visit.user,
        item_id=reaction.item_id, kind=reaction.kind, value=reaction.value,
    )  # fmt: skip
