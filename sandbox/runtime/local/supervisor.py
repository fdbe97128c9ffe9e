"""Keeps the processes of one run alive: `python -m sandbox.runtime.local.supervisor RUN_DIR`.

Starts them from RUN/request.json, restarts what crashes, publishes what it sees in RUN/services.json,
takes orders at its control endpoint, and on SIGTERM or SIGINT takes everything down, the store last.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.instances import meant, named
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo, save_services, write_atomically
from sandbox.runtime import settings
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.local import fleet
from sandbox.runtime.local.lossy_log import lose_lines_on_a_full_disk
from sandbox.runtime.local.plan import FAILED, PID, Request, plan
from sandbox.runtime.local.processes import Process, run_to_end
from sandbox.runtime.local.redis_server import find_redis
from sandbox.runtime.rundir import clear_sockets, disk_error, held_by_supervisor
from services.skeleton.seams import Seams
from services.skeleton.telemetry import Telemetry

_FIRST = ("redis", "model", "collector")  # what others need; the slowest import; the rows' sink
_STOP_ORDER = (  # whoever is called stops after its callers
    ("gateway",),
    ("retrieval", "ranking", "rules", "events"),
    ("features", "model", "stream", "materialiser"),
    ("collector",),
    ("redis",),
)
_STARTING_CHECK_S = 0.15  # wall seconds between health checks of a process that is coming up


class Supervisor:
    """One run's processes. All of it happens in one event loop, so its state needs no locks."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.request = Request.load(run_dir)
        self.stopping = asyncio.Event()
        self.processes: dict[str, Process] = {}
        # service -> id -> order
        self.armed: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.run: RunInfo
        self.telemetry: Telemetry
        self._busy: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # it is being replaced
        self._tasks: list[asyncio.Task[None]] = []
        self._orders: asyncio.AbstractServer | None = None
        self._endpoints: fleet.Endpoints = {}

    async def supervise(self) -> None:
        """Until told to stop. Raises what kept the run from coming up, with all taken down again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stopping.set)
        try:
            bringing_up = asyncio.create_task(self._come_up())
            told = asyncio.create_task(self.stopping.wait())
            await asyncio.wait({bringing_up, told}, return_when=asyncio.FIRST_COMPLETED)
            if not bringing_up.done():
                bringing_up.cancel()
            with suppress(asyncio.CancelledError):
                await bringing_up
            await told
        finally:
            self.stopping.set()
            await asyncio.shield(self._take_down())

    async def _come_up(self) -> None:
        executable = find_redis()
        for attempt in range(settings.PORT_ATTEMPTS):
            self.run = plan(self.request, self.run_dir, attempt, Config.load(self.run_dir).replicas)
            self.run.save()
            clock = self.run.clock()
            self.telemetry = Telemetry(
                self.run.collector_socket, "supervisor", named("supervisor"), Seams(clock, clock)
            )
            self.processes = {name: Process(name, self.run, executable) for name in self.run.processes()}
            try:
                await self._bring_up()
                return
            except SandboxError as error:
                if error.kind.code != "RUN-006" or attempt + 1 == settings.PORT_ATTEMPTS:
                    raise
                await self._take_down()

    async def _bring_up(self) -> None:
        await self.telemetry.start()
        self._orders = await control.listen(Endpoint.of(self.run, "supervisor"), self._answer)
        for name in _FIRST:
            await self._start(self.processes[name], "started")
        await self._ready(self.processes["redis"])
        for name, process in self.processes.items():
            if name not in _FIRST:
                await self._start(process, "started")
        self._tasks.append(asyncio.create_task(self._publish_regularly()))
        await asyncio.gather(self._publish_tables(), *map(self._ready, self.processes.values()))
        self.publish()

    async def begin(self, process: Process) -> None:
        """Starts a further one. Returns when it is ready, raises what `_ready` raises."""
        await self._start(process, "started")
        await self._ready(process)

    async def _publish_tables(self) -> None:
        """The lake's fixed tables. Raises RUN-003 when they cannot be written."""
        await self._ready(self.processes["collector"])
        await run_to_end("publish", self.run_dir)

    async def _start(self, process: Process, event: str) -> None:
        await process.start()
        self._note(process, event)
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(self._attend(process, process.child)))
        self._tasks.append(asyncio.create_task(self._mourn(process, process.child)))

    async def _ready(self, process: Process, within_s: float = settings.READY_S) -> None:
        """Returns when it serves. Raises what it said when it ended instead, or RUN-003."""
        assert process.child is not None, "a process is started before it is waited for"
        ended = asyncio.create_task(process.child.wait())
        ready = asyncio.create_task(process.ready_once.wait())
        try:
            await asyncio.wait({ended, ready}, timeout=within_s, return_when="FIRST_COMPLETED")
            if ready.done():
                return
            raise process.why_not_ready(within_s)
        finally:
            ended.cancel()
            ready.cancel()

    async def _attend(self, process: Process, child: asyncio.subprocess.Process | None) -> None:
        """Health of one life of a process."""
        while process.child is child and process.running and not self.stopping.is_set():
            serves = await process.check()
            if process.child is not child or not process.running:
                return
            if serves:
                process.failures_in_a_row = 0
                if not process.info.healthy:
                    await self._became_ready(process)
            elif process.info.state == "ready":
                process.failures_in_a_row += 1
                if process.failures_in_a_row == settings.UNHEALTHY_AFTER:
                    process.info.healthy = False
                    self._note(process, "unhealthy")
                    self.publish()
            starting = process.info.state == "starting"
            await asyncio.sleep(_STARTING_CHECK_S if starting else settings.HEALTH_EVERY_S)

    async def _became_ready(self, process: Process) -> None:
        for order in self.armed[process.service].values():  # a restart does not take wrappers off
            with suppress(SandboxError, TimeoutError):
                await control.ask_async(Endpoint.of(self.run, process.name), "arm", **order)
        process.info.state, process.info.healthy = "ready", True
        self._note(process, "ready")
        self.publish()
        process.ready_once.set()
        if process.name == "redis" and process.info.restarts:  # it came back empty
            with suppress(SandboxError, TimeoutError):
                at = Endpoint.of(self.run, "materialiser")
                await control.ask_async(at, "materialise", timeout_s=60)

    async def _mourn(self, process: Process, child: asyncio.subprocess.Process | None) -> None:
        """Waits for the end of one life of a process, and begins the next one after a crash."""
        assert child is not None, "a process is started before it is watched"
        code = await child.wait()
        gone = self.processes.get(process.name) is not process
        if gone or self.stopping.is_set() or self._busy[process.name].locked():
            return
        was_up = process.ready_once.is_set() or process.info.restarts > 0
        process.info.state, process.info.healthy = "down", False
        self._note(process, "crashed", code)
        self.publish()
        if not was_up:
            return  # it never came up: `_ready` reports that
        async with self._busy[process.name]:
            await process.forget_channel()
            if asyncio.get_running_loop().time() - process.started > settings.STEADY_S:
                process.crashes_in_a_row = 0
            step = min(process.crashes_in_a_row, len(settings.BACKOFF_S) - 1)
            process.crashes_in_a_row += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), settings.BACKOFF_S[step])
            if not self.stopping.is_set():
                process.info.restarts += 1
                await self._start(process, "restarted")

    async def restart(self, name: str) -> None:
        """Drains a process and starts it again; of a service with several one after the other. Raises RUN-007, or
        RUN-003 when one does not come back."""
        for process in self._named(name):
            await self._restart(process)

    async def _restart(self, process: Process) -> None:
        async with self._busy[process.name]:
            pid = process.info.pid
            code = await process.stop()
            self._note(process, "stopped", code, pid)
            process.info.restarts += 1
            await self._start(process, "restarted")
        await self._ready(process)

    async def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        op, name = order["op"], str(order.get("name", ""))
        if op == "ping":
            return {"ready": all(p.info.healthy for p in self.processes.values())}
        if op == "stop":
            self.stopping.set()
            return {}
        if op == "restart":
            await self.restart(name)
            return {"pid": self._named(name)[0].info.pid}
        if op == "scale":
            async with self._busy[op]:
                await fleet.follow(self, Config.load(self.run_dir).replicas)
            return {}
        if op in ("arm", "disarm"):
            return await self._arming(op, name, order)
        raise SandboxError(
            "CFG-003",
            where="supervisor control",
            seen=op,
            expected="ping, stop, restart, scale, arm or disarm",
            fix="use sandbox.runtime.stack",
        )

    async def _arming(self, op: str, name: str, order: dict[str, Any]) -> dict[str, Any]:
        """In all instances of a service. One that is away is armed when it is back, as long as another answers."""
        there = self._named(name)
        rest = {k: v for k, v in order.items() if k not in ("op", "name")}
        key = str(rest.get("id"))
        if op == "arm" and rest.get("since") is None:
            rest["since"] = self.run.clock().now()  # a restart must not begin the onset again
        if op == "disarm":
            self.armed[name].pop(key, None)
        asked = (control.ask_async(Endpoint.of(self.run, process.name), op, **rest) for process in there)
        told = await asyncio.gather(*asked, return_exceptions=True)
        answers = [answer for answer in told if isinstance(answer, dict)]
        if not answers:
            raise next(error for error in told if isinstance(error, BaseException))
        if op == "arm":
            self.armed[name][key] = rest
            return answers[0]
        return {"was_armed": any(answer["was_armed"] for answer in answers)}

    def _named(self, name: str) -> list[Process]:
        """A process, or all of a service."""
        return [self.processes[process] for process in meant(name, self.processes, "supervisor")]

    def _note(self, process: Process, event: str, code: int | None = None, pid: int | None = None) -> None:
        child_pid = process.child.pid if process.child else None
        self.telemetry.row("process_events", row_of.process_events(
            ts=self.telemetry.world.now(), service=process.name, instance=process.info.instance,
            event=event, pid=pid or child_pid, exit_code=code,
        ))  # fmt: skip

    def publish(self) -> None:
        # A full disk must not take the stack down; the next second tries again.
        with suppress(OSError):
            self._endpoints = fleet.tell(self.run_dir, self.processes, self._endpoints)
            save_services(self.run_dir, [p.info for p in self.processes.values()])

    async def _publish_regularly(self) -> None:
        while True:
            self.publish()
            await asyncio.sleep(1.0)

    async def _take_down(self) -> None:
        """Stops what runs, callers first, and leaves no socket behind."""
        for names in _STOP_ORDER:
            if names == ("collector",) and self.processes:
                await self.telemetry.stop()  # the collector takes the last rows before it ends
            going = [p for p in self.processes.values() if p.service in names]
            await asyncio.gather(*(self.put_to_rest(p) for p in going if p.running))
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._orders is not None:
            self._orders.close()
        if self.processes:
            self.publish()
            clear_sockets(self.run)

    async def put_to_rest(self, process: Process) -> None:
        async with self._busy[process.name]:
            pid = process.info.pid
            self._note(process, "stopped", await process.stop(), pid)


def main(run_dir: Path) -> int:
    """Supervises the run in run_dir until it is told to stop. 3 when the stack failed to come up."""
    lose_lines_on_a_full_disk()
    try:
        with held_by_supervisor(run_dir):
            write_atomically(run_dir / PID, str(os.getpid()))
            try:
                asyncio.run(Supervisor(run_dir).supervise())
            finally:
                (run_dir / PID).unlink(missing_ok=True)
    except (SandboxError, OSError) as error:
        failure = error if isinstance(error, SandboxError) else disk_error(run_dir, error)
        print(failure, file=sys.stderr)  # noqa: T201 the supervisor's own log
        with suppress(OSError):
            write_atomically(run_dir / FAILED, json.dumps(failure.as_json()))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
