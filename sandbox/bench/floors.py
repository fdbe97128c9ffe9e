"""The sides that a stack is measured with in turns: itself, its hot floor and its cold one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.bench import echo, transport
from sandbox.bench.driving import Asking, Taken, turn_of
from sandbox.bench.processes import cpu_s
from sandbox.bench.programs import Program, program
from sandbox.bench.turns import Turn
from sandbox.bench.way import OPS, PROCESSES, called, message
from sandbox.runtime.stack import Stack

Sizes = dict[str, tuple[int, int]]  # op -> bytes of request and answer
N_PREPARED = 200  # recommendations that the cold floor's cores have the inputs of, over and over


class Running:
    """A side that is left as it is while others have their turn: somebody else's stack is not ours to stop, and what its
    floors cost counts with an idle stack beside them, as what it costs itself."""

    def resume(self) -> None:
        """It runs."""

    def pause(self) -> None:
        """It goes on."""


class StackItself(Running):
    name = "stack"

    def __init__(self, stack: Stack, seed: int) -> None:
        """Raises RUN-011 for processes in containers, whose CPU is not for us to see."""
        run = stack.run
        self.asking = Asking(run.addresses["gateway"], Path(run.world_dir), seed)
        self._pids: dict[str, list[int]] = {}
        for row in stack.status()["services"]:
            if row["pid"] is None:
                raise SandboxError(
                    "RUN-011", where=f"bench serving, {row['name']}", seen="no pid", expected="processes of this machine",
                    fix="sandbox up, and measure that one",
                )  # fmt: skip
            self._pids.setdefault(row["name"], []).append(row["pid"])

    def turn(self, first: int, n: int, began_s: list[float]) -> Taken:
        return turn_of(self.asking.calling, self._cpu_s, first, n, [])

    def _cpu_s(self) -> dict[str, float]:
        return {name: sum(cpu_s(of).values()) for name, of in self._pids.items()}


class HotFloor(Running):
    """All cores in one process, and as many echo calls to one server as the stack has; each over and over."""

    name = "hot"

    def __init__(self, hot: Program, address: str, pid: int, sizes: Sizes) -> None:
        self._hot, self._address, self._pid, self._sizes = hot, address, pid, sizes

    def turn(self, first: int, n: int, began_s: list[float]) -> Taken:
        start = time.perf_counter()
        cores_ms = self._hot.ask(do="kernels", first=first, n=n)["cpu_ms"]
        every, outer = self._echoed(list(self._sizes.values()), n), self._echoed([self._sizes["gateway"]], n)
        # The public call's own client is no service's cost.
        spent_ms = {"kernels": cores_ms, "echo": every["caller_ms"] + every["server_ms"] - outer["caller_ms"]}
        busy_s = {name: ms * n / 1000 for name, ms in spent_ms.items()}
        return Taken(Turn(n, busy_s, time.perf_counter() - start, dict.fromkeys(busy_s, 0.0), 0.0), [], [])

    def _echoed(self, sizes: list[tuple[int, int]], n: int) -> dict[str, float]:
        told: dict[str, float] = self._hot.ask(do="echo", address=self._address, pid=self._pid, sizes=sizes, n=n)
        return told


class ColdFloor(Running):
    """As many bare processes as the stack has on a recommendation's way, each with its service's cores, called in the same
    order, with messages as large, and as long apart: with the stack's own pauses."""

    name = "cold"

    def __init__(self, programs: dict[str, Program], addresses: dict[str, str], sizes: Sizes) -> None:
        self._programs, self._gateway, self._sizes = programs, addresses["gateway"], sizes
        for one in programs.values():
            one.ask(callees=addresses, sizes=sizes)

    def turn(self, first: int, n: int, began_s: list[float]) -> Taken:
        return turn_of(self._calling, self._cpu_s, first, n, began_s)

    def _cpu_s(self) -> dict[str, float]:
        used = cpu_s([one.pid for one in self._programs.values()])
        return {name: used[one.pid] for name, one in self._programs.items()}

    @asynccontextmanager
    async def _calling(self) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        async with transport.channel(self._gateway) as channel:
            call = channel.unary_unary(transport.METHOD)

            async def ask(i: int) -> None:
                await call(message("gateway", i, self._sizes))

            yield ask


@contextmanager
def floors(stack: Stack, place: Path) -> Iterator[tuple[HotFloor, ColdFloor]]:
    """Both, ready; place: for what one prepares for the other. Their processes end with this, however that is."""
    prepared, run_dir, environment = place / "prepared.npz", str(stack.run_dir), transport.environment()
    with ExitStack() as open_:
        hot = open_.enter_context(program("sandbox.bench.hot", run_dir, environment=environment))
        sizes: Sizes = hot.ask(do="prepare", n=N_PREPARED, path=str(prepared))["sizes"]
        assert set(sizes) == set(OPS) == set(called("gateway")), "both floors make the stack's calls"
        pid, address = open_.enter_context(echo.running())
        programs = {
            name: open_.enter_context(program("sandbox.bench.bare", run_dir, str(prepared), environment=environment))
            for name in PROCESSES
        }
        addresses = {name: f"127.0.0.1:{one.told()['port']}" for name, one in programs.items()}
        yield HotFloor(hot, address, pid, sizes), ColdFloor(programs, addresses, sizes)
