"""A stack in one process and in world time: the same cores, faults, rules and tables as a live one.

Requests live their lives on one event loop; what they are answered is gathered and computed side by side
(sandbox.virtual.answers.later) before anything changes that it follows from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults.arming import wrapper_for
from loadtest.schedule import Schedule
from sandbox.base import artefacts, paths
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.instances import processes, service_of
from sandbox.base.load import LoadTest, TrafficShape
from sandbox.base.rows import row_of
from sandbox.base.run import PROCESSES, RunInfo
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.rundir import disk_error, point_latest_to
from sandbox.runtime.upkeep import EVERY_S as UPKEEP_EVERY_S
from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.later import Gathering
from sandbox.virtual.machine import timing as timings
from sandbox.virtual.machine.cores import Process
from sandbox.virtual.machine.fabric import Fabric
from sandbox.virtual.machine.loop import Loop, World
from sandbox.virtual.people.clients import LOAD, Clients
from sandbox.virtual.people.ledger import Ledger, LedgerBook
from sandbox.virtual.people.slices import Segment, slice_of
from sandbox.virtual.processes.fleet import Fleet
from sandbox.virtual.processes.gateway import Gateway
from sandbox.virtual.processes.handlers import Handlers
from sandbox.virtual.processes.intake import Intake
from sandbox.virtual.processes.materialiser import Materialiser
from sandbox.virtual.processes.probe import Probe
from sandbox.virtual.processes.recorder import Recorder
from sandbox.virtual.processes.store import Store
from sandbox.virtual.processes.stream import Processor, Stream
from sandbox.virtual.processes.upkeep import Upkeep
from sandbox.world.behaviour import Behaviour
from services.features.core import views_with
from services.gateway.consent import Decisions
from services.skeleton.points import MATERIALISER

WINDOW_S = 0.25  # wall seconds: arrivals are drawn for so long at a time


class VirtualStack:
    """One run. began_ts: world seconds since the epoch at its beginning, the end of the world's history."""

    def __init__(
        self, world: str, run_dir: Path, *, seed: int = 1, rate_per_s: float = 20.0, speed: float = 60.0,
        telemetry: bool = True, config: Config | None = None, timing: timings.Timing | None = None,
        load: TrafficShape | None = None, watched: Sequence[Segment] = (),
    ) -> None:  # fmt: skip
        """rate_per_s: recommendation requests per wall second to aim at. load: in its place, a rate over the
        world seconds since the beginning. telemetry: False records none. watched: segments that the ledger
        tells apart, as one slice.

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
        names = (*processes(PROCESSES, self.config.replicas), LOAD)
        self.fabric = Fabric(names, self.loop, self.world, timing or timings.load(), self.recorder)
        self.fabric.instances.balancing = lambda caller: self.config.balancing(caller)
        self.fleet = Fleet(self.fabric, self._event)
        self.fleet.configure(self.config)
        self.stream = Stream()
        self.store = Store(self.catalogue, lambda: self.loop.now, self.world.now, lambda: len(self.stream.entries))
        self.store.views = views_with(self.config.features.max_age_s)
        self.store.configure(self.config.redis, self.config.features.reads)
        self.book = LedgerBook(self.began_ts)
        self.gathering = Gathering(self.content, self.store.items)
        self.store.settle = self.gathering.settle
        self.handlers = handlers = Handlers(self.fabric, self.content, self.store, self.gathering, lambda: self.config)
        intake = Intake(self.fabric, self.store, self.stream, self.catalogue)
        gateway = Gateway(self.fabric, handlers, lambda: self.config, intake.append)
        self.processor = Processor(
            self.loop, self.stream, self.store, self.catalogue, self.fabric.seams["stream"],
            lambda: self.config, speed, self.fabric.log,
        )  # fmt: skip
        self.materialiser = Materialiser(
            self.world_dir, self.catalogue, self.stream, self.store, self.fabric, self._record, self.gathering.settle
        )
        self.upkeep = Upkeep(self.fabric, self.store)
        self.behaviour = Behaviour.load(self.world_dir)
        traffic = load or TrafficShape(rate_per_s=rate_per_s)
        self._schedule = Schedule.of(
            traffic, self.behaviour, self.began_ts, speed, seed, catalogue=self.catalogue,
            seam=self.fabric.seams[LOAD].traffic,
        )  # fmt: skip
        self.clients = Clients(
            self.fabric,
            gateway,
            self.behaviour,
            self._schedule,
            self.book,
            seed,
            slice_of(watched, self.world_dir, self.catalogue, manifest),
        )
        self.operations = Operations(self.run, self)
        self._wrappers: dict[tuple[str, str], tuple[str, Any]] = {}
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
            n = math.floor((now - self.began_ts) / grid + 1e-6) + 1
            self.clients.go_on(self.began_ts + n * grid)

    def arm(self, service: str, spec: dict[str, Any]) -> str:
        """Puts a wrapper on a seam of a process. spec: {id, fault, params, ...}. Raises FLT-001..003, RUN-007."""
        if service not in self.fabric.seams:
            raise SandboxError(
                "RUN-007",
                where="arm",
                seen=service,
                expected=f"one of {sorted(self.fabric.seams)}",
                fix="name a process of the stack",
            )
        self.gathering.settle()
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
        self.gathering.settle()
        self.fabric.seams[service].named(found[0]).take_off(found[1])
        self._traffic_changed(service)
        return True

    @property
    def ledger(self) -> Ledger:
        self.clients.settle()
        return self.book.closed()

    @property
    def alerts(self) -> list[tuple[float, str, str]]:
        """Changes of state so far: (world seconds since the epoch, rule, firing or resolved)."""
        return self.recorder.fired if self.recorder is not None else []

    def flush(self) -> None:
        """Everything that happened so far can be queried afterwards. Raises RUN-005 on a full disk."""
        self.gathering.settle()
        if self.recorder is not None:
            try:
                self.recorder.flush()
            except OSError as error:
                raise disk_error(self.run_dir, error) from error

    def tidy(self) -> None:
        """Fewer and larger segments, for whoever looks again and again; what can be queried stays the same."""
        if self.recorder is not None:
            with suppress(OSError):  # a full disk shows in flush
                while self.recorder.store.compact():
                    pass
                self.recorder.store.sweep()

    # -- what operations act on (sandbox.runtime.operate.platform.Platform) ----------------------------------

    def reload(self, services: Iterable[str]) -> dict[str, int]:
        config = Config.load(self.run_dir)
        self.gathering.settle()
        self.content.configure(config)
        self.store.views = views_with(config.features.max_age_s)
        self.store.configure(config.redis, config.features.reads)
        self.config = config
        self.fleet.configure(config)
        self.handlers.features.heed(config)
        return dict.fromkeys(services, config.version)

    def rows(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if self.recorder is not None:
            self.recorder.rows(table, map(tuple, rows))

    def restart(self, process: str) -> None:
        """process: one, or a service, whose instances restart one after the other. Raises RUN-007."""
        each_s = self.fabric.timing.restart(service_of(process))
        first, *others = self.fleet.named(process)
        self._restart(first)
        for n, name in enumerate(others, 1):
            self.loop.at(self.loop.now + n * each_s, self._restart, name)

    def _restart(self, name: str) -> None:
        if name not in self.fabric.processes:
            return  # given up meanwhile
        self.gathering.settle()
        process = self.fleet.stop(name, self._up_again)
        if name == "redis":
            self.store.clear()
            self.store.down_until = process.down_until
            self.processor.forget()
            self.stream.entries.clear()
            self.stream.times.clear()
            self.stream.read = self.stream.done = 0
            self.materialiser.forget_position()
        elif name == "gateway":
            self.clients.gateway.decisions = Decisions()  # what it had in memory
        elif name == "stream":
            self.processor.stop()
        elif name == MATERIALISER:
            self.materialiser.stop()

    def backlog(self) -> int:
        return self.stream.backlog

    def skip(self) -> int:
        return self.stream.skip()

    def replay(self, minutes: float) -> None:
        self.stream.replay(self.loop.now - minutes * 60 / self.world.speed)
        if self.stream.backlog:
            self.loop.fire(self.stream.appended)

    def versions_of(self, artifact: str) -> list[str]:
        return artefacts.names(self.run.registries, artifact)

    def load_test(self, test: LoadTest | None) -> None:
        self._schedule.test(test, self.world.now())

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

    def _start(self, manifest: Any) -> None:
        if self.recorder is not None:
            self.recorder.seams = self.fabric.seams
            try:
                self.recorder.publish(self.world_dir, manifest)
            except OSError as error:
                raise disk_error(self.run_dir, error) from error
            for process in self.fabric.processes.values():
                if process.name != LOAD:
                    self._event(process, "started", None)
                    self._event(process, "ready", None)
            minute_s = max(1.0, 60.0 / self.world.speed)
            probe = Probe(self.content, self.recorder, self.fabric)
            every = max(self.config.retrieval.probe_every_s / self.world.speed, 2.0)
            self._every(1.0, lambda: self.recorder.sample(self.fabric, self.store, self.stream, 1.0))
            self._every(minute_s, lambda: self.recorder.minute(minute_s))
            probe.once(self.world.now())
            self._every(every, lambda: probe.once(self.world.now()))
        self.materialiser.run(stream_views=True)
        self._every(self.materialiser.every_s / self.world.speed, self._materialise)
        self._tend()
        self.processor.start()

    def _every(self, seconds: float, do: Any) -> None:
        def again() -> None:
            self.gathering.settle()
            do()
            self.loop.at(self.loop.now + seconds, again)

        self.loop.at(self.loop.now + seconds, again)

    def _materialise(self) -> None:
        if self._is_up(MATERIALISER):
            self.materialiser.run()

    def _tend(self) -> None:
        """Once a second. What is computed later follows from none of it but keys that the store lets go (`Store.settle`)."""
        self.store.tend()
        if self._is_up(MATERIALISER):
            self.upkeep.once()
        self.loop.at(self.loop.now + UPKEEP_EVERY_S, self._tend)

    def _is_up(self, process: str) -> bool:
        return self.loop.now >= self.fabric.processes[process].down_until

    # -- processes -----------------------------------------------------------------------------------

    def _up_again(self, process: Process) -> None:
        if process.name == "redis":
            self.materialiser.run(stream_views=True)
        elif process.name == "stream":
            self.processor.start()
        elif process.name == MATERIALISER:
            self.materialiser.run()

    def _event(self, process: Process, event: str, code: int | None) -> None:
        ts, service, instance = self.world.now(), process.service, process.instance
        row = row_of.process_events(ts=ts, service=service, instance=instance, event=event, pid=0, exit_code=code)
        self._record("supervisor", "process_events", row)

    def _record(self, service: str, table: str, values: tuple[Any, ...]) -> None:
        if self.recorder is not None:
            self.recorder(service, table, values)

    def _traffic_changed(self, service: str) -> None:
        if service == LOAD:
            self._schedule.redraw(self.world.now())
