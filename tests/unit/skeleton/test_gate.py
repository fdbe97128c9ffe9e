"""The gate: never more than its limit, the less urgent first, and each call that came in goes out once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.config import Concurrency
from sandbox.base.schema import TABLES
from services.skeleton.gate import LEAST_CALLS, Gate, Refusal
from services.skeleton.urgency import EARLY, FIRST, KEPT, LAST, share

FOUR = Concurrency(least=4, most=4)


class Bench:
    def __init__(self, settings=FOUR):
        self.lines = []
        self.gate = Gate(settings, 0.0, lambda level, msg, **fields: self.lines.append((level, msg)))

    def enter(self, share, n=1):
        return [self.gate.enter(share) for _ in range(n)]

    def row(self):
        return dict(zip(TABLES["limits"].names, self.gate.sampled(0.0, "model", "model-0"), strict=True))


def test_beyond_the_limit_a_call_is_turned_away_and_told_why():
    bench = Bench()

    assert bench.enter(LAST, 5) == [None] * 4 + [Refusal("limit", 4, 4)]
    error = bench.gate.enter(LAST).error("model.Score")
    assert (error.kind.code, error.kind.status) == ("WIRE-010", "UNAVAILABLE")


def test_the_less_urgent_are_turned_away_while_there_is_room_for_others():
    bench = Bench()
    bench.enter(LAST, 2)

    assert bench.enter(FIRST) == [Refusal("reserve", 4, 2)]
    assert bench.enter(EARLY) == [None]
    assert bench.enter(EARLY) == [Refusal("reserve", 4, 3)]
    assert bench.enter(LAST) == [None]


def test_one_call_is_let_in_however_small_its_share():
    bench = Bench(Concurrency(least=1, most=1))

    assert bench.enter(FIRST) == [None]


def test_what_is_kept_passes_beside_it():
    bench = Bench()
    bench.enter(LAST, 4)

    assert bench.enter(KEPT, 100) == [None] * 100
    assert bench.gate.inflight == 4


@given(st.lists(st.tuples(st.sampled_from(["in", "out"]), st.sampled_from([FIRST, EARLY, LAST])), max_size=200))
def test_in_flight_is_what_came_in_less_what_went_out_and_never_more_than_the_limit(steps):
    gate, inside, now = Bench(Concurrency(least=2, most=9, window_s=0.1)).gate, [], 0.0
    for what, its in steps:
        now += 0.02
        if what == "in" and gate.enter(its) is None:
            inside.append(now)
            assert len(inside) <= gate.limit
        elif what == "out" and inside:
            gate.left(inside.pop(0), now, False)
        assert gate.inflight == len(inside)


def test_a_window_with_few_calls_says_nothing():
    gate = Bench(Concurrency(least=4, most=64)).gate

    def calls(n, now):
        for _ in range(n):
            assert gate.enter(LAST) is None
        for _ in range(n):
            gate.left(now - 0.05, now, False)

    for n in range(1, LEAST_CALLS // 3 + 1):
        calls(3, float(n))
    assert gate.limit == 4
    for n in range(10, 60):
        calls(min(gate.limit, 12), float(n))
    assert gate.limit > 8


def test_each_second_has_its_row_and_logs_tell_when_it_begins_and_ends():
    bench = Bench()
    bench.enter(LAST, 6)
    bench.enter(FIRST)
    bench.gate.left(0.0, 0.1, False)
    bench.enter(FIRST)
    first, second, third = bench.row(), bench.row(), bench.row()

    assert (first["passed"], first["shed_limit"], first["shed_reserve"], first["inflight"]) == (4, 3, 1, 3)
    assert (second["passed"], second["shed_limit"], second["shed_reserve"]) == (0, 0, 0)
    assert (third["limit_now"], third["mode"], third["took_ms"], third["base_ms"]) == (4, "gradient", None, None)
    assert bench.lines == [("warn", "calls are turned away"), ("info", "no calls are turned away any more")]


def test_other_bounds_keep_what_it_has_found_another_algorithm_begins_anew():
    bench = Bench(Concurrency(least=20, most=64))
    bench.enter(LAST, 3)
    bench.gate.follow(Concurrency(least=2, most=64), 1.0)
    kept = bench.gate.limit
    bench.gate.follow(Concurrency(mode="vegas", least=2, most=64), 2.0)

    assert (kept, bench.gate.limit, bench.gate.inflight) == (20, 2, 3)


@pytest.mark.parametrize(
    ("op", "attempt", "client", "feedback", "its"),
    [
        ("Recommend", 1, "app", "keep", LAST),
        ("Recommend", 2, "app", "keep", FIRST),
        ("Recommend", 1, "probe", "keep", FIRST),
        ("LogFeedback", 1, "", "keep", KEPT),
        ("LogFeedback", 1, "", "shed", FIRST),
        ("Score", 1, "", "keep", LAST),
        ("EncodeUser", 1, "", "keep", EARLY),
        ("EncodeUser", 3, "", "keep", FIRST),
    ],
)
def test_who_goes_first(op, attempt, client, feedback, its):
    assert share(op, attempt=attempt, client=client, feedback=feedback) == its
