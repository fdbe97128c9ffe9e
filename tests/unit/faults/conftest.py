"""A virtual world in which one call goes through one armed fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from faults.arming import Spec, wrapper
from sandbox.base.clock import VirtualClock
from services.skeleton.seams import Call, Seam


class Bench:
    """An armed fault on a seam of its own, in virtual time."""

    def __init__(self, **spec: Any) -> None:
        self.clock = VirtualClock(start=1000.0)
        self.armed = wrapper(Spec(**spec), self.clock, self.clock)
        self.seam = Seam(self.armed.fault.seam)
        self.seam.put(self.armed)

    def send(self, call: Call, answer: Any = "answer") -> tuple[Any, float]:
        """The answer to an awaited call, and how many seconds it took."""
        results: list[tuple[Any, float]] = []

        async def proceed(_: Call) -> Any:
            return answer

        async def once() -> None:
            began = self.clock.now()
            got = await self.seam.run(call, proceed)
            results.append((got, self.clock.now() - began))

        self.clock.spawn(once())
        self.clock.run()
        return results[0]

    def pass_on(self, call: Call) -> Any:
        """The payload that comes out of a synchronous seam or stage."""
        return self.seam.run_sync(call, lambda c: c.payload)


@pytest.fixture
def bench() -> Callable[..., Bench]:
    return Bench
