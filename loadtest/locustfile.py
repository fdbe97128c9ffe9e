"""Locust drives the gateway with the world's users: `locust -f loadtest/locustfile.py`, or `sandbox load run`.

Each Locust user plays sessions from the world's arrival schedule. When all are busy the next session
starts late: its intended and its actual time are both recorded, so that waiting cannot hide. With --arrivals it is
single requests that come by a plan of the load lab, whoever is still waiting for an answer.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import gevent
import grpc
import grpc.experimental.gevent as grpc_gevent
from locust import User, events, task
from locust.runners import MasterRunner

from loadtest.feedback import event_id, sendings
from loadtest.lab.arrivals import PERSON
from loadtest.lab.ledger import OK
from loadtest.lab.open_loop import MADE, VISITS, status_of
from loadtest.lab.workers import attach
from loadtest.sessions import Reaction, Visit
from loadtest.traffic import Traffic, report
from sandbox.base.rows import row_of
from services.proto.recsys.v1 import gateway_pb2

grpc_gevent.init_gevent()


@events.init_command_line_parser.add_listener
def _arguments(parser: Any) -> None:
    # What is worth choosing on Locust's page is added to the parser itself, which shows it there; a group is not shown.
    parser.add_argument(
        "--arrivals", default=VISITS, choices=[VISITS, *MADE], help="who comes when: the world's own visits, or a shape"
    )
    parser.add_argument("--rate", type=float, default=20.0, help="requests per wall second to aim at")
    parser.add_argument("--factor", type=float, default=4.0, help="what a shape comes to, times the rate")
    parser.add_argument("--load-seed", type=int, default=1, help="seed of who comes when")
    group = parser.add_argument_group("recommender sandbox")
    group.add_argument("--run-dir", default="", help="run directory; default the latest")
    group.add_argument("--slate-size", type=int, default=10, help="items asked for")
    group.add_argument("--diurnal", action="store_true", help="visits follow the hours of the day")
    group.add_argument("--shape", default="", help="rate over time, JSON of sandbox.base.load")
    group.add_argument("--began-ts", type=float, default=0.0, help="world time that --shape counts from")
    group.add_argument("--summary", default="", help="file for a summary as JSON")
    group.add_argument("--plan", default="", help="plan of the lab, a JSON file, in place of --arrivals")
    group.add_argument("--requests", default="", help="file for all requests, npz")
    group.add_argument("--acknowledged", default="", help="file for ids of acknowledged feedback, a line each")
    group.add_argument("--orders", default="", help="by which a master tells its workers the run and the plan")


@events.init.add_listener
def _attach(environment: Any, **_: Any) -> None:
    attach(environment)


@events.test_start.add_listener
def _start(environment: Any, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        environment.lead.start()
        return
    environment.traffic = traffic = Traffic(environment)
    traffic.leader = gevent.spawn(traffic.usher if traffic.open_loop is None else traffic.open_loop.conduct)
    environment.background = [gevent.spawn(traffic.housekeeping), traffic.leader]
    if traffic.led:
        environment.follow.start()
    else:
        traffic.take_orders()


@events.test_stop.add_listener
def _stop(environment: Any, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        environment.lead.finish()
        return
    traffic: Traffic = environment.traffic
    traffic.leave()
    traffic.orders.stop()
    if traffic.led:
        return
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
        traffic.under_way += 1
        try:
            answer = traffic.gateway.recommend(visit.user, visit.session, visit.depth + 1, traffic.slate_size, 1)
        except grpc.RpcError as failure:
            error = failure
        finally:
            traffic.under_way -= 1
        answered, rt_ms = traffic.clock.now(), (time.perf_counter() - began) * 1000
        report(self.environment, "Recommend", began, error)
        items = [item.item_id for item in answer.items] if answer is not None else []
        request_id = answer.request_id if answer is not None else None
        wait_ms = (started - intended) / traffic.run.speed * 1000
        traffic.rows.add(row_of.locust(
            ts=started, user_class=visit.script.user_class if visit.script else type(self).__name__, request_id=request_id, intended_ts=intended,
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
