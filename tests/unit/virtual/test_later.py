"""Contents are computed together when the first of them is needed, and once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.virtual.answers.later import Gathering, Items, Later, known


class Counting:
    """In place of Content: answers with the batch that a request was computed in."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []

    def healthy(self, asked: Sequence[Any], rows: Sequence[Any], item_rows: Any) -> list[Any]:
        self.batches.append(list(asked))
        return [(len(self.batches), a) for a in asked]


def gathering() -> tuple[Gathering, Counting]:
    content = Counting()
    return Gathering(content, lambda ids, now: None), content  # type: ignore[arg-type]


def test_nothing_is_computed_before_somebody_needs_it_and_then_all_of_it_is() -> None:
    gathered, content = gathering()
    first, second = (gathered.answer(a, None) for a in "ab")  # type: ignore[arg-type]
    assert content.batches == []
    assert second.get() == (1, "b")
    assert first.get() == (1, "a")
    assert content.batches == [["a", "b"]]


def test_what_is_asked_for_afterwards_is_another_batch() -> None:
    gathered, content = gathering()
    gathered.answer("a", None).get()  # type: ignore[arg-type]
    late = gathered.answer("b", None)  # type: ignore[arg-type]
    gathered.settle()
    gathered.settle()
    assert late.get() == (2, "b")
    assert content.batches == [["a"], ["b"]]


def test_what_follows_is_settled_in_the_order_of_asking_each_once() -> None:
    gathered, _ = gathering()
    done: list[str] = []
    answer = gathered.answer("a", None)  # type: ignore[arg-type]
    gathered.later(lambda: done.append(f"first, of {answer.get()[1]}"))  # type: ignore[index]
    second = gathered.later(lambda: done.append("second"))
    answer.get()
    second.get()
    assert done == ["first, of a", "second"]


def test_a_slate_that_nobody_looked_at_is_not_computed() -> None:
    made: list[int] = []
    shown: Later[list[int]] = Later(lambda: made.append(1) or [5, 7])
    items = Items(shown)
    assert made == []
    assert list(items) == [5, 7]
    assert items[-1] == 7
    assert len(items) == 2
    assert made == [1]
    assert known(3).then(lambda n: n + 1).get() == 4
