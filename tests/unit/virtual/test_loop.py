"""The event loop: time jumps, the order is always the same, and whoever waits too long gives up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.virtual.machine.loop import Loop, Signal, Task, Wall, World


def test_events_run_in_order_of_time_and_ties_in_the_order_they_were_made() -> None:
    loop, seen = Loop(), list[str]()
    for name, when in (("late", 2.0), ("first", 1.0), ("second", 1.0)):
        loop.at(when, seen.append, name)
    loop.run_until(1.5)
    assert seen == ["first", "second"]
    assert loop.now == 1.5
    loop.run_until(3.0)
    assert seen == ["first", "second", "late"]


def test_a_sleeper_wakes_at_its_time_on_either_clock() -> None:
    loop = Loop()
    world, wall, woke = World(loop, 1_000.0, speed=60.0), Wall(loop), list[float]()

    async def sleeper() -> None:
        await wall.wait_until(0.5)
        woke.append(wall.now())
        await world.wait_until(1_120.0)
        woke.append(wall.now())

    loop.spawn(sleeper())
    loop.run_until(10.0)
    assert woke == [0.5, 2.0]
    assert world.now() == 1_600.0


def test_a_signal_wakes_those_who_wait_and_those_who_gave_up_are_not_woken_again() -> None:
    loop, signal, seen = Loop(), Signal(), list[tuple[str, bool, float]]()

    async def waiter(name: str, until: float) -> None:
        fired = await loop.wait(signal, until)
        seen.append((name, fired, loop.now))

    loop.spawn(waiter("impatient", 1.0))
    loop.spawn(waiter("patient", 9.0))
    loop.at(3.0, loop.fire, signal)
    loop.run_until(20.0)
    assert seen == [("impatient", False, 1.0), ("patient", True, 3.0)]


def test_a_cancelled_task_goes_no_further() -> None:
    loop, seen = Loop(), list[str]()

    async def work() -> None:
        await loop.sleep_until(1.0)
        seen.append("went on")

    task = loop.spawn(work())
    loop.cancel(task)
    loop.run_until(5.0)
    assert seen == []


def test_what_an_event_makes_for_its_own_moment_comes_after_all_that_was_due_then() -> None:
    loop, seen = Loop(), list[str]()

    def first() -> None:
        loop.at(1.0, seen.append, "made at one")
        loop.at(0.5, seen.append, "made at one, for before")

    loop.at(1.0, first)
    loop.at(1.0, seen.append, "due at one")
    loop.run_until(1.0)
    assert seen == ["due at one", "made at one", "made at one, for before"]


def test_those_who_wait_go_on_in_the_order_in_which_they_came_and_not_within_the_fire() -> None:
    loop, signal, seen = Loop(), Signal(), list[str]()

    async def waiter(name: str) -> None:
        await loop.wait(signal, 9.0)
        seen.append(name)

    def fire() -> None:
        loop.fire(signal)
        seen.append("fired")

    for name in ("first", "second"):
        loop.spawn(waiter(name))
    loop.at(9.0, seen.append, "due at nine")
    loop.at(3.0, fire)
    loop.run_until(20.0)
    assert seen == ["fired", "first", "second", "due at nine"]


def test_whoever_gave_up_can_wait_for_the_same_again() -> None:
    loop, signal, seen = Loop(), Signal(), list[tuple[bool, float]]()

    async def stubborn() -> None:
        for until in (1.0, 9.0):
            seen.append((await loop.wait(signal, until), loop.now))
        await loop.sleep_until(12.0)
        seen.append((signal.fired, loop.now))

    loop.spawn(stubborn())
    loop.at(3.0, loop.fire, signal)
    loop.run_until(20.0)
    assert seen == [(False, 1.0), (True, 3.0), (True, 12.0)]


def test_a_task_keeps_the_failure_that_was_named_and_any_other_ends_the_run() -> None:
    loop, seen = Loop(), list[object]()

    async def fails(error: Exception) -> None:
        await loop.sleep_until(1.0)
        raise error

    async def waiter(task: Task) -> None:
        await loop.wait(task)
        seen.extend([task.value, task.failure])

    refused = KeyError("no")
    loop.spawn(waiter(loop.spawn(fails(refused), fails_with=LookupError)))
    loop.run_until(2.0)
    assert seen == [None, refused]

    with pytest.raises(ZeroDivisionError):
        loop.spawn(_divides())


async def _divides() -> float:
    return 1 / 0


def test_a_task_that_starts_another_goes_on_as_itself() -> None:
    loop, woke = Loop(), list[tuple[str, float]]()

    async def sleeper(name: str, until: float) -> None:
        await loop.sleep_until(until)
        woke.append((name, loop.now))

    async def outer() -> None:
        loop.spawn(sleeper("inner", 5.0))
        await sleeper("outer", 2.0)

    loop.spawn(outer())
    loop.run_until(9.0)
    assert woke == [("outer", 2.0), ("inner", 5.0)]


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0, 100))
def test_nothing_runs_early_and_nothing_due_is_left(times: list[float], until: float) -> None:
    loop, ran = Loop(), list[float]()
    for when in times:
        loop.at(when, lambda: ran.append(loop.now))
    loop.run_until(until)
    assert ran == sorted(t for t in times if t <= until)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), max_size=30), st.lists(st.floats(0, 7)))
def test_however_it_is_stepped_all_runs_in_order_of_time_and_then_of_making(
    times: list[tuple[float, float]], steps: list[float]
) -> None:
    loop, ran = Loop(), list[tuple[float, int]]()

    def first(n: int, further: float) -> None:
        ran.append((loop.now, n))
        loop.at(loop.now + further, lambda: ran.append((loop.now, 100 + n)))

    for n, (when, further) in enumerate(times):
        loop.at(when, first, n, further)
    for until in [*sorted(steps), 9.0]:
        loop.run_until(until)
        assert loop.now == until
    assert [when for when, _ in ran] == sorted(when for when, _ in ran)
    assert sorted(ran) == sorted(
        [(when, n) for n, (when, _) in enumerate(times)]
        + [(when + further, 100 + n) for n, (when, further) in enumerate(times)]
    )
    of_first = [(when, n) for when, n in ran if n < 100]
    assert of_first == sorted(of_first), "what was made first runs first, at the same time"


@given(st.lists(st.tuples(st.floats(0.001, 2), st.floats(0.001, 2)), min_size=1, max_size=20))
def test_a_deadline_ends_a_wait_where_the_signal_comes_later_and_only_there(waits: list[tuple[float, float]]) -> None:
    loop, ended = Loop(), dict[int, tuple[bool, float]]()

    async def waiter(n: int, signal: Signal, until: float) -> None:
        fired = await loop.wait(signal, until)
        await loop.sleep_until(3.0)  # a deadline that passed long ago must not wake it here
        ended[n] = fired, loop.now

    for n, (until, fires) in enumerate(waits):
        signal = Signal()
        loop.spawn(waiter(n, signal, until))
        loop.at(fires, loop.fire, signal)
    loop.run_until(5.0)
    for n, (until, fires) in enumerate(waits):
        assert ended[n][1] == 3.0
        if until != fires:
            assert ended[n][0] == (fires < until)
