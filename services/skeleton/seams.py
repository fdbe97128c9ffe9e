"""The seams: narrow interfaces at which a call can be wrapped. Unarmed, a seam is a plain call.

Which there are, and what passes them, stands in services.skeleton.points. A wrapper is whatever the runtime
puts there; services know none. What a wrapper does wrong ends the call as a typed error, never the process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sandbox.base.clock import Clock
from sandbox.base.errors import SandboxError
from services.skeleton.points import POINTS, SERVED, fits

Proceed = Callable[["Call"], Awaitable[Any]]
ProceedSync = Callable[["Call"], Any]


class Place(NamedTuple):
    """Whom one call, or one element of it, is about. user, item, region: -1 unknown; group, segment,
    surface: "" unknown. session, position: the rest of what its dice belong to. instance: "" unknown."""

    user: int = -1
    session: int = 0
    position: int = 0
    region: int = -1
    item: int = -1
    group: str = ""
    segment: str = ""
    surface: str = ""
    instance: str = ""


@dataclass(slots=True)
class Call:
    """One call at a seam, as its wrapper sees it.

    seam: a name of services.skeleton.points. service: the process it happens in (the caller, for
    rpc). peer: callee for rpc, view or table or artefact version elsewhere. op: method or operation.
    user, session, position: the place in the world (-1 unknown). path: network path of an rpc.
    payload: what goes in; a wrapper may hand on a changed one. places: of the elements of a payload that
    is a list, in its order; None where the call is about one place. about: what else is known of that. instance: of
    the callee, for rpc.
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
    places: Callable[[Any], Sequence[Place]] | None = None
    about: Place | None = None
    instance: str = ""

    @property
    def place(self) -> Place:
        return self.about or Place(self.user, self.session, self.position, self.region, instance=self.instance)


def payload_of(call: Call) -> Any:
    """The end of a synchronous seam that hands on what comes in."""
    return call.payload


async def passed_on(call: Call) -> Any:
    """The same of an awaited one."""
    return call.payload


class Wrapper(Protocol):
    """What can be put on a seam. `around` is used where the call is awaited, `around_sync` elsewhere."""

    async def around(self, call: Call, proceed: Proceed) -> Any: ...
    def around_sync(self, call: Call, proceed: ProceedSync) -> Any: ...


class Seam:
    """One seam of one process. Wrappers run in the order in which they were put on."""

    __slots__ = ("changed", "name", "wrappers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.wrappers: tuple[Wrapper, ...] = ()
        self.changed: Callable[[], None] | None = None  # called when a wrapper has been put on or taken off

    def __bool__(self) -> bool:
        """True when armed; callers go straight through when it is not."""
        return bool(self.wrappers)

    async def run(self, call: Call, proceed: Proceed) -> Any:
        """What the wrappers make of an awaited call. Raises SandboxError: theirs, WIRE-004 where one timed out,
        WIRE-006 for any other error and for an answer of another kind than the point's."""
        try:
            answer = await _around(self.wrappers, "around", proceed)(call)
        except SandboxError:
            raise
        except Exception as error:
            raise _typed(error, call) from error
        return _checked(answer, call)

    def run_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """The same of a call that nobody awaits."""
        try:
            answer = _around(self.wrappers, "around_sync", proceed)(call)
        except SandboxError:
            raise
        except Exception as error:
            raise _typed(error, call) from error
        return _checked(answer, call)

    def put(self, wrapper: Wrapper) -> None:
        self._now((*self.wrappers, wrapper))

    def take_off(self, wrapper: Wrapper) -> None:
        self._now(tuple(w for w in self.wrappers if w is not wrapper))

    def _now(self, wrappers: tuple[Wrapper, ...]) -> None:
        self.wrappers = wrappers
        if self.changed is not None:
            self.changed()


def _around(wrappers: Sequence[Wrapper], method: str, proceed: Callable[[Call], Any]) -> Callable[[Call], Any]:
    """The one place where wrappers are put around what they wrap, the first of them outermost."""
    for wrapper in reversed(wrappers):
        proceed = _bind(getattr(wrapper, method), proceed)
    return proceed


def _bind(around: Callable[..., Any], proceed: Callable[[Call], Any]) -> Callable[[Call], Any]:
    return lambda call: around(call, proceed)


def _typed(error: Exception, call: Call) -> SandboxError:
    code = "WIRE-004" if isinstance(error, TimeoutError) else "WIRE-006"
    return SandboxError(
        code, where=_where(call), seen=repr(error)[:300], expected="an answer", fix=f"see the log of {call.service}"
    )


def _checked(answer: Any, call: Call) -> Any:
    if fits(call.seam, answer):
        return answer
    raise SandboxError(
        "WIRE-006",
        where=_where(call),
        seen=repr(answer)[:100],
        expected=POINTS[call.seam].answer,
        fix=f"see the log of {call.service}",
    )


def _where(call: Call) -> str:
    return f"{call.service}, {call.op} of {call.peer}"


class Seams:
    """The seams of one process, an attribute for each point, with the clocks that wrappers may use."""

    def __init__(self, world: Clock, wall: Clock) -> None:
        self.world, self.wall = world, wall
        for name in SERVED:
            setattr(self, name, Seam(name))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Seam: ...

    def armed(self) -> bool:
        """Whether a wrapper is on any of them."""
        return any(self.named(name) for name in SERVED)

    def named(self, name: str) -> Seam:
        assert name in SERVED, f"no seam is called {name}"
        seam: Seam = getattr(self, name)
        return seam
