"""A virtual world in which one call goes through one armed fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from faults.arming import Spec, wrapper
from sandbox.base.clock import VirtualClock
from services.proto.recsys.v1 import features_pb2
from services.skeleton.points import POINTS
from services.skeleton.seams import Call, Proceed, Seam, payload_of

ANSWER = features_pb2.GetItemsResponse()


class Bench:
    """An armed fault on a seam of its own, in virtual time."""

    def __init__(self, **spec: Any) -> None:
        self.clock = VirtualClock(start=1000.0)
        self.armed = wrapper(Spec(**spec), self.clock, self.clock)
        self.seam = Seam(self.armed.fault.seam)
        self.seam.put(self.armed)

    def send(self, call: Call, answer: Any = ANSWER) -> tuple[Any, float]:
        """The answer to an awaited call, and how many seconds it took. answer: None for the payload."""

        async def proceed(given: Call) -> Any:
            return given.payload if answer is None else answer

        return self.through(call, proceed)

    def through(self, call: Call, proceed: Proceed) -> tuple[Any, float]:
        """The same with an end of the seam of one's own."""
        self._meets(call, awaited=True)
        results: list[tuple[Any, float]] = []

        async def once() -> None:
            began = self.clock.now()
            got = await self.seam.run(call, proceed)
            results.append((got, self.clock.now() - began))

        self.clock.spawn(once())
        self.clock.run()
        return results[0]

    def pass_on(self, call: Call) -> Any:
        """The payload that comes out of a synchronous seam or stage."""
        self._meets(call, awaited=False)
        return self.seam.run_sync(call, payload_of)

    def _meets(self, call: Call, *, awaited: bool) -> None:
        """The call is one that the fault's point really has."""
        point = POINTS[self.armed.fault.seam]
        assert (call.seam, awaited) == (point.name, point.awaited)
        assert point.misfit(call.service, call.peer, call.op) is None


@pytest.fixture
def bench() -> Callable[..., Bench]:
    return Bench
