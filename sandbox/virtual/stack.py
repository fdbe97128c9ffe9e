"""A stack in one process and in world time: the same cores, faults, rules and tables as a live one.

Time advances in windows. What the requests of a window would be answered if nothing went wrong is computed at
once; then each lives its life on the event loop, and is computed anew from where it deviates. The loop stops
where a user could ask again (how long users think is known beforehand), so that nobody asks too late.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from faults.arming import wrapper_for
from loadtest.schedule import Schedule
from loadtest.sessions import Reaction, requests_per_session
from sandbox.base import paths
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.run import PROCESSES, RunInfo
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.runtime.operations import Operations
from sandbox.runtime.rundir import disk_error, point_latest_to
from sandbox.virtual import timing as timings
from sandbox.virtual.breaches import Breaches
from sandbox.virtual.content import Asked, Content
from sandbox.virtual.fabric import CallError, Context, Dice, Fabric, dice
from sandbox.virtual.gateway import Gateway, Served
from sandbox.virtual.handlers import Handlers, Request
from sandbox.virtual.ledger import Ledger, LedgerBook
from sandbox.virtual.loop import Loop, World
from sandbox.virtual.outbox import Outbox
from sandbox.virtual.probe import Probe
from sandbox.virtual.recorder import Recorder
from sandbox.virtual.store import Store, user_rows
from sandbox.virtual.stream import Materialiser, Processor, Stream
from sandbox.virtual.users import Finished, Users, Visit
from sandbox.world.behaviour import Behaviour
from services.events.core import Entry
from services.features.core import views_with
from services.gateway.core import request_id
from services.skeleton.seams import Call

LOAD = "load"  # the generator of traffic, as a process in which a fault can be armed
WINDOW_S = 0.25  # wall seconds of a window at most: so late, at most, users' feedback is sent
LEAST_S = 0.02  # of a window at least, where an answer takes longer than its user thinks
TIMEOUT_S = 2.0  # as loadtest.clients
SLATE_SIZE = 10


class VirtualStack:
    """One run. began_ts: world seconds since the epoch at its beginning, the end of the world's history."""

    def __init__(
        self, world: str, run_dir: Path, *, seed: int = 1, rate_per_s: float = 20.0, speed: float = 60.0,
        telemetry: bool = True, config: Config | None = None, timing: timings.Timing | None = None,
    ) -> None:  # fmt: skip
        """rate_per_s: recommendation requests per wall second to aim at. telemetry: False records none.

        The world and its models have to be there. Raises WORLD-001, MODEL-001, MODEL-002, RUN-005.
        """
        self.seed, self.run_dir = seed, run_dir
        manifest, self.world_dir = load_manifest(world), world_dir(world)
        self.began_ts = manifest.history_end_ts
        self.loop = Loop()
        self.world = World(self.loop, self.began_ts, speed)
        self.run = self._begin(world, config or Config(), speed)
        self.config = Config.load(run_dir)
        self.content = Content(self.world_dir, self.run.registries, seed)
        self.content.configure(self.config)
        self.catalogue = self.content.catalogue
        self.recorder = Recorder(self.run.lake, self.world, self.catalogue) if telemetry else None
        self.fabric = Fabric(
            (*PROCESSES, LOAD), self.loop, self.world, timing or timings.load(), self.recorder
        )
        self.store, self.stream, self.book = (
            Store(self.catalogue),
            Stream(),
            LedgerBook(self.began_ts),
        )
        self.handlers = Handlers(self.fabric, self.content, self.store, lambda: self.config)
        self.gateway = Gateway(self.fabric, self.handlers, lambda: self.config, self._append)
        self.processor = Processor(
            self.loop, self.stream, self.store, self.catalogue, self.fabric.seams["stream"],
            lambda: self.config,
        )  # fmt: skip
        self.materialiser = Materialiser(
            self.world_dir, self.catalogue, self.stream, self.store, self.world, self._record
        )
        self.users = self._users(rate_per_s / speed)
        self.outbox = Outbox(self.loop, self.world, self._send_feedback)
        self.operations = Operations(self.run, self)
        self._wrappers: dict[tuple[str, str], tuple[str, Any]] = {}
        self._finished: list[Finished] = []
        self._returns: dict[
            int, float
        ] = {}  # of requests in flight, by number: earliest next request
        self._number = itertools.count()
        self._start(manifest)

    # -- what programs do with it ------------------------------------------------------------------

    def now(self) -> float:
        """World seconds since the epoch."""
        return self.world.now()

    def advance(self, until_ts: float) -> None:
        """Lets the world go on to that time, world seconds since the epoch, and to the end of the window
        that it lies in: windows lie on a fixed grid, so that it does not matter in which steps one asks."""
        grid = WINDOW_S * self.world.speed
        last = math.ceil((until_ts - self.began_ts) / grid - 1e-6)
        while (now := self.world.now()) < self.began_ts + last * grid - 1e-6:
            end = self.began_ts + (math.floor((now - self.began_ts) / grid + 1e-6) + 1) * grid
            self._admit(self.users.take(end))
            least = min(end, now + LEAST_S * self.world.speed)
            self.loop.run_until(self.world.wall(max(least, min([end, *self._returns.values()]))))
            finished, self._finished = self._finished, []
            self.users.answer(finished)

    def arm(self, service: str, spec: dict[str, Any]) -> str:
        """Puts a wrapper on a seam of a process. spec: {id, fault, params, ...}. Raises FLT-001..003, RUN-007."""
        if service not in self.fabric.seams:
            raise SandboxError(
                "RUN-007", where="arm", seen=service, expected=f"one of {sorted(self.fabric.seams)}",
                fix="name a process of the stack",
            )  # fmt: skip
        wanted = {key: value for key, value in spec.items() if key != "id"}
        seams = self.fabric.seams[service]
        seam, wrapper = wrapper_for(wanted, seams, service)
        seams.named(seam).put(wrapper)
        self._wrappers[service, str(spec["id"])] = (seam, wrapper)
        self._traffic_changed(service)
        return str(spec["id"])

    def disarm(self, service: str, id: str) -> bool:
        """Takes a wrapper off. False when there was none of that id."""
        found = self._wrappers.pop((service, id), None)
        if found is None:
            return False
        self.fabric.seams[service].named(found[0]).take_off(found[1])
        self._traffic_changed(service)
        return True

    @property
    def ledger(self) -> Ledger:
        return self.book.closed()

    @property
    def alerts(self) -> list[tuple[float, str, str]]:
        """Changes of state so far: (world seconds since the epoch, rule, firing or resolved)."""
        return self.recorder.fired if self.recorder is not None else []

    def flush(self) -> None:
        """Everything that happened so far can be queried afterwards. Raises RUN-005 on a full disk."""
        if self.recorder is not None:
            try:
                self.recorder.flush()
            except OSError as error:
                raise disk_error(self.run_dir, error) from error

    # -- what operations act on (sandbox.runtime.platform.Platform) ----------------------------------

    def reload(self, services: Iterable[str]) -> dict[str, int]:
        config = Config.load(self.run_dir)
        self.content.configure(config)
        self.store.views = views_with(config.features.max_age_s)
        self.config = config
        return dict.fromkeys(services, config.version)

    def rows(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if self.recorder is not None:
            self.recorder.rows(table, map(tuple, rows))

    def restart(self, process: str) -> None:
        loop, of = self.loop, self.fabric.processes[process]
        of.down_until = loop.now + self.fabric.timing.restart(process)
        of.restarts += 1
        self._event(process, "stopped", 0)
        loop.at(of.down_until, self._up_again, process)
        if process == "redis":
            self.store.clear()
            self.store.down_until = of.down_until
            self.processor.forget()
            self.stream.entries.clear()
            self.stream.times.clear()
            self.stream.read = self.stream.done = 0
            self.materialiser.forget_position()
        elif process == "stream":
            self.processor.stop()

    def backlog(self) -> int:
        return self.stream.backlog

    def skip(self) -> int:
        return self.stream.skip()

    def replay(self, minutes: float) -> None:
        self.stream.replay(self.loop.now - minutes * 60 / self.world.speed)
        if self.stream.backlog:
            self.loop.fire(self.stream.appended)

    # -- beginning -----------------------------------------------------------------------------------

    def _begin(self, world: str, config: Config, speed: float) -> RunInfo:
        run = RunInfo(
            run_dir=str(self.run_dir), world=world, world_dir=str(self.world_dir),
            world_start=self.began_ts, wall_start=0.0, speed=speed, seed=self.seed, redis="",
            addresses={}, metrics={}, backend="virtual",
        )  # fmt: skip
        try:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            run.save()
            config.save(self.run_dir)
            if paths.runs() in self.run_dir.parents:
                point_latest_to(self.run_dir)
        except OSError as error:
            raise disk_error(self.run_dir, error) from error
        return run

    def _users(self, requests_per_world_s: float) -> Users:
        behaviour = Behaviour.load(self.world_dir)
        rate = requests_per_world_s / requests_per_session(behaviour)
        schedule = Schedule(
            behaviour, self.began_ts, rate, self.seed, shaped=False, catalogue=self.catalogue,
            seam=self.fabric.seams[LOAD].traffic,
        )  # fmt: skip
        in_group_b: np.ndarray = self.catalogue.creator_group[self.catalogue.item_creator] == 1
        return Users(
            behaviour, schedule, self.book, Breaches(self.catalogue), in_group_b, self._feedback
        )  # fmt: skip

    def _start(self, manifest: Any) -> None:
        if self.recorder is not None:
            self.recorder.seams = self.fabric.seams
            self.recorder.publish(self.world_dir, manifest)
            for process in PROCESSES:
                self._event(process, "started", None)
                self._event(process, "ready", None)
            minute_s = max(1.0, 60.0 / self.world.speed)
            probe = Probe(self.content, self.recorder, lambda: self.config)
            every = max(self.config.retrieval.probe_every_s / self.world.speed, 2.0)
            self._every(
                1.0, lambda: self.recorder.sample(self.fabric, self.store, self.stream, 1.0)
            )
            self._every(minute_s, lambda: self.recorder.minute(minute_s))
            probe.once(self.world.now())
            self._every(every, lambda: probe.once(self.world.now()))
        self.materialiser.run(stream_views=True)
        self._every(self.materialiser.every_s / self.world.speed, self._materialise)
        self.processor.start()

    def _every(self, seconds: float, do: Any) -> None:
        def again() -> None:
            do()
            self.loop.at(self.loop.now + seconds, again)

        self.loop.at(self.loop.now + seconds, again)

    def _materialise(self) -> None:
        if self.loop.now >= self.store.down_until:
            self.materialiser.run()

    # -- one window ----------------------------------------------------------------------------------

    def _admit(self, visits: list[Visit]) -> None:
        """Computes what the visits' requests would be answered, and sends them off."""
        if not visits:
            return
        catalogue, world = self.catalogue, self.world
        now = world.now()
        asked, raw = [], []
        for visit in visits:
            ts = max(now, visit.intended_ts)
            asked.append(Asked(
                visit.user, visit.session, visit.depth + 1, int(catalogue.user_region[visit.user]),
                SLATE_SIZE, bool(catalogue.user_personalised[visit.user]), ts,
            ))  # fmt: skip
            raw.append(self.store.user(visit.user, world.wall(ts), ts))
        rows = [user_rows(*of, a.now) for of, a in zip(raw, asked, strict=True)]
        answers = self.content.healthy(asked, rows, self.store.items)
        noise = dice(
            self.seed, "request", np.array([a.user for a in asked]), np.array([a.session for a in asked]),
            np.array([a.depth for a in asked]),
        )  # fmt: skip
        for visit, a, of, row, answer, die in zip(
            visits, asked, raw, rows, answers, noise, strict=True
        ):
            number = next(self._number)
            self._returns[number] = visit.intended_ts + visit.think_s
            request = Request(a, of, row, answer)
            self.loop.at(world.wall(a.now), self._send, number, visit, request, die)

    def _send(self, number: int, visit: Visit, request: Request, die: Dice) -> None:
        asked = request.asked
        if not self.store.still(asked.user, request.raw):  # written since the window began
            raw = self.store.user(asked.user, self.loop.now, asked.now)
            rows = user_rows(*raw, asked.now)
            request = Request(
                asked, raw, rows, self.content.healthy([asked], [rows], self.store.items)[0]
            )
        self.loop.spawn(self._ask(number, visit, request, die))

    async def _ask(self, number: int, visit: Visit, request: Request, die: Dice) -> None:
        """One request as its client sees it."""
        loop, asked = self.loop, request.asked
        sent, trace = loop.now, request_id(self.seed, asked.user, asked.session, asked.depth, 1)
        context = Context(
            trace, self.fabric.span(), None, "client", asked.user, asked.session, asked.depth,
            asked.region, False, sent + TIMEOUT_S, die,
        )  # fmt: skip
        task = loop.spawn(self._at_gateway(request, context))
        if await loop.wait(task.done, sent + TIMEOUT_S):
            served: Served | None = task.done.value
        else:
            served, context.given_up = None, True
        rt_ms = (loop.now - sent) * 1000
        world = self.world
        answered = Finished(
            visit,
            asked.now,
            world.now(),
            rt_ms,
            served,
            trace if served else None,
            asked.region,
            die,
        )
        del self._returns[number]
        self._finished.append(answered)
        if self.recorder is not None:
            started = world.began_ts + sent * world.speed
            late_ms = (started - visit.intended_ts) / world.speed * 1000
            self.recorder(LOAD, "locust", (
                started, "SlateUser", answered.request_id, visit.intended_ts, started, late_ms, rt_ms,
                served is not None, len(served.items) if served else 0,
            ))  # fmt: skip

    async def _at_gateway(self, request: Request, context: Context) -> Served | None:
        wire_s = self.fabric.seconds(self.fabric.timing.wire["client->gateway"], 0, context.dice)
        await self.loop.sleep_until(self.loop.now + wire_s / 2)
        try:
            served: Served = await self.fabric.serve(
                "gateway", "Recommend", context, lambda c: self.gateway.recommend(request, c), 490
            )
        except CallError:
            return None
        await self.loop.sleep_until(self.loop.now + wire_s / 2)
        return served

    # -- what users did ------------------------------------------------------------------------------

    def _feedback(self, of: Finished, reactions: list[Reaction], over: bool) -> None:
        if of.request_id is not None:
            self.outbox.put(of, reactions, over)

    def _send_feedback(self, entries: list[Entry], of: Finished) -> None:
        first = entries[0]
        context = Context(
            first.request_id, self.fabric.span(), None, "client", first.user, first.session, 0, of.region,
            False, self.loop.now + TIMEOUT_S, of.dice,
        )  # fmt: skip
        self.loop.spawn(self._tell(entries, context))

    async def _tell(self, entries: list[Entry], context: Context) -> None:
        with suppress(CallError):  # lost, as a client loses what it could not send
            await self.fabric.serve(
                "gateway", "LogFeedback", context, lambda c: self.gateway.log_feedback(entries, c),
                92 * len(entries),
            )  # fmt: skip

    async def _append(self, entries: list[Entry], context: Context) -> None:
        """The events service takes entries in: onto the stream and into the log. Raises CallError."""
        if self.loop.now < self.store.down_until:
            raise CallError("STORE-001")
        seam = self.fabric.seams["events"].write
        if seam:
            first = entries[0]
            call = Call(
                "write", "events", "events", "Append", first.user, max(first.session, 0),
                payload=entries, attributes={"event_ts": max(e.ts for e in entries)},
            )  # fmt: skip
            await seam.run(call, self._proceed)
        else:
            self._take_in(entries)

    async def _proceed(self, call: Call) -> list[bool]:
        return self._take_in(call.payload)

    def _take_in(self, entries: list[Entry]) -> list[bool]:
        stream, now = self.stream, self.world.now()
        stream.entries.extend(entries)
        stream.times.extend([self.loop.now] * len(entries))
        stream.written_ts = max(stream.written_ts, *(e.ts for e in entries))
        self.loop.fire(stream.appended)
        if self.recorder is not None:
            for e in entries:
                if e.kind != "impressions":
                    self.recorder("events", "outcomes", (
                        e.ts, now, e.event_id, e.request_id, str(e.session), e.user, e.items[0], e.kind, e.value,
                    ))  # fmt: skip
        return [True] * len(entries)

    # -- processes -----------------------------------------------------------------------------------

    def _up_again(self, process: str) -> None:
        self.fabric.processes[process].started = self.loop.now
        self._event(process, "restarted", None)
        self._event(process, "ready", None)
        if process == "redis":
            self.materialiser.run(stream_views=True)
        elif process == "stream":
            self.processor.start()

    def _event(self, process: str, event: str, code: int | None) -> None:
        self._record("supervisor", "process_events", (
            self.world.now(), process, f"{process}-0", event, 0, code,
        ))  # fmt: skip

    def _record(self, service: str, table: str, values: tuple[Any, ...]) -> None:
        if self.recorder is not None:
            self.recorder(service, table, values)

    def _traffic_changed(self, service: str) -> None:
        if service == LOAD:
            self.users.schedule.redraw(self.world.now())
