"""A virtual call as messages: made when a wrapper looks at them, read back when it has changed them.

Requests live as plain values here, many of which are computed later and side by side. A wrapper sees what it
would see on a live stack, the request and the response message; one that looks at neither costs nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message

from sandbox.base.errors import SandboxError
from services.skeleton.messages import checked, kinds
from services.skeleton.seams import Call


class Wire(Protocol):
    """How one call would read on the wire. callee, op: as in the registry of points."""

    callee: str
    op: str

    def request(self) -> Message:
        """The message that the caller would send."""

    def handler(self, request: Any) -> Callable[[Any], Awaitable[Any]]:
        """The callee's handler for a request that was changed. May raise SandboxError, as the callee would."""

    def answer(self, value: Any) -> Message:
        """The message that a handler's value would be sent as."""

    def value(self, answer: Any) -> Any:
        """What the caller unpacks from an answer that was changed. Raises ValueError, SandboxError."""


class Asking(Call):
    """A call on an edge, or at its callee. Its payload, the request message, is made when somebody asks for it."""

    wire: Wire | None = None
    _message: Any = None
    _sent = b""

    @property
    def payload(self) -> Any:
        if self._message is None and self.wire is not None:
            self._message = self.wire.request()
            self._sent = _bytes(self._message)
        return self._message

    @payload.setter
    def payload(self, message: Any) -> None:
        self._message, self._sent = message, b""

    def changed_in(self, given: Call) -> Any:
        """The request that a wrapper handed on, None where it is this one's. Raises WIRE-006 for what is none."""
        if given is self and self._message is None:
            return None  # nobody looked at it
        assert self.wire is not None
        request = checked(given.payload, kinds(self.wire.callee, self.op)[0], f"{self.op} of {self.wire.callee}")
        if given is not self and self.payload is request:
            return None
        return None if self._sent and _bytes(request) == self._sent else request


class Unread:
    """An answer that nobody has looked at: its message comes to be when somebody does, and passes for it."""

    __slots__ = ("_message", "_sent", "_value", "_wire")

    def __init__(self, value: Any, wire: Wire) -> None:
        for name, given in (("_value", value), ("_wire", wire), ("_message", None), ("_sent", b"")):
            object.__setattr__(self, name, given)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return kinds(self._wire.callee, self._wire.op)[1]

    def __getattr__(self, name: str) -> Any:
        return getattr(written(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(written(self), name, value)

    def __eq__(self, other: object) -> bool:
        return bool(written(self) == (written(other) if type(other) is Unread else other))

    def __repr__(self) -> str:
        return repr(written(self))

    def __copy__(self) -> Any:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: Any) -> Any:
        made = type(written(self))()
        made.CopyFrom(written(self))
        return made


def written(answer: Unread) -> Any:
    """Its message."""
    if answer._message is None:
        value = answer._value  # changed at the callee already, it is a message
        message = value.message if type(value) is Answered else answer._wire.answer(value)
        object.__setattr__(answer, "_message", message)
        object.__setattr__(answer, "_sent", _bytes(message))
    return answer._message


@dataclass(frozen=True)
class Answered:
    """An answer that a wrapper made, or changed."""

    message: Any
    wire: Wire

    @classmethod
    def of(cls, answer: Any, wire: Wire, came: Sequence[Unread]) -> Any:
        """The value of an answer as it came, also where a wrapper returns a copy; else the changed one. came: from
        the callee, on this attempt. Raises WIRE-006 for what is none."""
        if type(answer) is Unread:
            if answer._message is None and not isinstance(answer._value, Message):
                return answer._value
            answer = written(answer)
        checked(answer, kinds(wire.callee, wire.op)[1], f"{wire.op} of {wire.callee}")
        sent = _bytes(answer)
        same = [
            one for one in came if one._sent == sent and one._message is not None and one._value is not one._message
        ]
        return same[0]._value if same else cls(answer, wire)

    def unpacked(self) -> Any:
        """What the caller makes of it. Raises SandboxError: WIRE-001 where it cannot be unpacked."""
        try:
            return self.wire.value(self.message)
        except (ValueError, IndexError, AttributeError) as error:
            raise SandboxError(
                "WIRE-001",
                where=f"{self.wire.op} of {self.wire.callee}",
                seen=repr(error)[:200],
                expected="arrays that can be unpacked",
                fix="see what is put on the caller's seam",
            ) from error


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
