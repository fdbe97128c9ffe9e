"""The seams: narrow interfaces at which a call can be wrapped. Unarmed, a seam is a plain call.

Serving has six: rpc (client side of an edge), write (events and features going in), read (features
coming out), log (telemetry rows), index (search), model (score, encode). Before serving there is
traffic (who comes when). A wrapper is whatever the runtime puts there; services know none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.base.clock import Clock

Proceed = Callable[["Call"], Awaitable[Any]]
ProceedSync = Callable[["Call"], Any]


@dataclass(slots=True)
class Call:
    """One call at a seam, as its wrapper sees it.

    seam: rpc, write, read, log, index, model or traffic. service: the process it happens in (the caller, for
    rpc). peer: callee for rpc, view or table or artefact version elsewhere. op: method or operation.
    user, session, position: the place in the world (-1 unknown). path: network path of an rpc.
    payload: what goes in; a wrapper may hand on a changed one.
    """

    seam: str
    service: str
    peer: str
    op: str
    user: int = -1
    session: int = 0
    position: int = 0
    region: int = -1
    path: str = "a"
    payload: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)


class Wrapper(Protocol):
    """What can be put on a seam. `around` is used where the call is awaited, `around_sync` elsewhere."""

    async def around(self, call: Call, proceed: Proceed) -> Any: ...
    def around_sync(self, call: Call, proceed: ProceedSync) -> Any: ...


class Seam:
    """One seam of one process. Wrappers run in the order in which they were put on."""

    __slots__ = ("name", "wrappers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.wrappers: tuple[Wrapper, ...] = ()

    def __bool__(self) -> bool:
        """True when armed; callers go straight through when it is not."""
        return bool(self.wrappers)

    async def run(self, call: Call, proceed: Proceed) -> Any:
        for wrapper in reversed(self.wrappers):
            proceed = _bind(wrapper, proceed)
        return await proceed(call)

    def run_sync(self, call: Call, proceed: ProceedSync) -> Any:
        for wrapper in reversed(self.wrappers):
            proceed = _bind_sync(wrapper, proceed)
        return proceed(call)

    def put(self, wrapper: Wrapper) -> None:
        self.wrappers = (*self.wrappers, wrapper)

    def take_off(self, wrapper: Wrapper) -> None:
        self.wrappers = tuple(w for w in self.wrappers if w is not wrapper)


def _bind(wrapper: Wrapper, proceed: Proceed) -> Proceed:
    return lambda call: wrapper.around(call, proceed)


def _bind_sync(wrapper: Wrapper, proceed: ProceedSync) -> ProceedSync:
    return lambda call: wrapper.around_sync(call, proceed)


SEAM_NAMES = ("rpc", "write", "read", "log", "index", "model", "traffic")


class Seams:
    """The seams of one process, by name, with the clocks that wrappers may use."""

    def __init__(self, world: Clock, wall: Clock) -> None:
        self.world, self.wall = world, wall
        self.rpc, self.write, self.read = Seam("rpc"), Seam("write"), Seam("read")
        self.log, self.index, self.model = Seam("log"), Seam("index"), Seam("model")
        self.traffic = Seam("traffic")

    def named(self, name: str) -> Seam:
        assert name in SEAM_NAMES, f"no seam is called {name}"
        seam: Seam = getattr(self, name)
        return seam
