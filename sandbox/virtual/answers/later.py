"""Values that are computed when somebody needs them, together with all that is open then.

How long a call takes does not depend on which items it is about. So requests live their lives on the
event loop before anybody knows what they are answered, and the answers of many are computed side by
side when the first user acts on one. What they follow from is what was there when they were asked for:
`Gathering.settle` comes before configuration, batch rows or armed faults change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, overload

from sandbox.virtual.answers.content import Content
from sandbox.virtual.answers.request import Answer, ItemRows, Request
from services.gateway.stages import UserRows

T = TypeVar("T", covariant=True)
U = TypeVar("U")


class Later(Generic[T]):
    """make: computes the value; called once, at the first `get`."""

    __slots__ = ("_make", "_value")
    _value: T

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make

    def get(self) -> T:
        if self._make is not None:
            self._value = self._make()
            self._make = None  # with all that it holds on to
        return self._value

    def then(self, of: Callable[[T], U]) -> Later[U]:
        """What follows from this value alone."""
        return Later(lambda: of(self.get()))


def known(value: U) -> Later[U]:
    """Of what is computed already."""
    return Later(lambda: value)


class Items(Sequence[int]):
    """A slate that is computed when somebody looks at it."""

    __slots__ = ("_shown",)

    def __init__(self, shown: Later[list[int]]) -> None:
        self._shown = shown

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        return self._shown.get()[at]

    def __len__(self) -> int:
        return len(self._shown.get())


class Gathering:
    """What was asked for and is not computed yet. item_rows: the store's, as they are at `settle`.

    n_batches, n_answers: computed so far.
    """

    def __init__(self, content: Content, item_rows: ItemRows) -> None:
        self._content, self._item_rows = content, item_rows
        self._asked: list[tuple[Request, UserRows, list[Answer]]] = []
        self._open: list[Later[Any]] = []
        self.n_batches = self.n_answers = 0

    def answer(self, asked: Request, rows: UserRows) -> Later[Answer]:
        """What all stages make of a request when none fails. rows: what is known of its user."""
        room: list[Answer] = []
        self._asked.append((asked, rows, room))
        return Later(lambda: self._taken(room))

    def later(self, make: Callable[[], U]) -> Later[U]:
        """Anything else that follows from what is there now."""
        value = Later(make)
        self._open.append(value)
        return value

    def settle(self) -> None:
        """Computes all that is open: the answers in one batch, then the rest in the order of asking."""
        asked, self._asked = self._asked, []
        if asked:
            self.n_batches, self.n_answers = self.n_batches + 1, self.n_answers + len(asked)
            given, rows, rooms = zip(*asked, strict=True)
            answers = self._content.healthy(given, rows, self._item_rows)
            for room, answer in zip(rooms, answers, strict=True):
                room.append(answer)
        opened, self._open = self._open, []
        for value in opened:
            value.get()

    def _taken(self, room: list[Answer]) -> Answer:
        if not room:
            self.settle()
        return room[0]
