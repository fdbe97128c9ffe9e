"""Arrivals are what the plan wants: by count, by gap, by seed, and the same however they are divided."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from loadtest.lab.arrivals import BOT, CROWD, PERSON, arrivals, chosen_item, gaps_p, rate, unit_arrivals
from loadtest.lab.plan import SHAPES, Plan, recorded
from loadtest.lab.shapes import ABOUT
from sandbox.base.errors import SandboxError

MADE = [s for s in SHAPES if s != "replay"]


def within(at_s: np.ndarray, low_s: float, high_s: float) -> int:
    return int(((at_s >= low_s) & (at_s < high_s)).sum())


def near(count: int, wanted: float) -> bool:
    """Within five standard errors of a Poisson count."""
    return abs(count - wanted) <= 5 * math.sqrt(wanted)


def test_poisson_gaps_are_exponential_and_counts_are_right():
    found = arrivals(Plan("poisson", rate=50, seconds=200))
    gaps = np.diff(found.at_s, prepend=0.0)

    assert near(len(found), 10_000)
    assert kstest(gaps, "expon", args=(0, 1 / 50)).pvalue > 0.001
    assert gaps_p(Plan("poisson", rate=50, seconds=200), found) > 0.001


def test_the_gap_test_sees_a_load_that_is_not_what_was_wanted():
    """Even spacing is no Poisson process, and neither is one at nine tenths of the rate."""
    plan = Plan("poisson", rate=50, seconds=200)

    assert gaps_p(plan, arrivals(Plan("constant", rate=50, seconds=200))) < 1e-6
    assert gaps_p(plan, arrivals(Plan("poisson", rate=45, seconds=200))) < 1e-3


def test_constant_arrivals_keep_their_distance():
    found = arrivals(Plan("constant", rate=20, seconds=10))

    assert len(found) == 200
    assert np.diff(found.at_s) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("shape", ["ramp", "steps", "diurnal", "spike"])
def test_shaped_arrivals_are_poisson_in_their_own_time(shape):
    plan = Plan(shape, rate=40, seconds=300, seed=3)

    assert gaps_p(plan, arrivals(plan)) > 0.001


def test_a_ramp_a_step_a_day_and_a_spike_bring_what_they_should_when_they_should():
    ramp, steps, day, spike = (
        arrivals(Plan(s, rate=20, seconds=300, factor=4)).at_s for s in ("ramp", "steps", "diurnal", "spike")
    )

    assert near(within(ramp, 0, 30), 30 * 23)
    assert near(within(ramp, 270, 300), 30 * 77)
    assert near(within(steps, 0, 60), 60 * 20)
    assert near(within(steps, 60, 120), 60 * 35)
    assert near(within(steps, 240, 300), 60 * 80)
    assert near(len(day), 300 * 20)
    assert within(day, 135, 165) > 5 * within(day, 0, 30)
    assert near(within(spike, 0, 100), 100 * 20)
    assert near(within(spike, 100, 200), 100 * 80)
    assert near(within(spike, 200, 300), 100 * 20)


def test_a_crowd_comes_at_once_and_fades_beside_the_usual():
    found = arrivals(Plan("flash-crowd", rate=20, seconds=300, factor=6))
    crowd = found.at_s[found.who == CROWD]

    assert near(int((found.who == PERSON).sum()), 6_000)
    assert crowd.min() >= 100
    assert within(crowd, 100, 120) > 3 * within(crowd, 180, 200) > 0


def test_bots_come_as_a_block_and_are_marked():
    found = arrivals(Plan("bot-swarm", rate=20, seconds=300, factor=3))
    bots = found.at_s[found.who == BOT]

    assert 100 <= bots.min() < bots.max() < 200
    assert near(len(bots), 100 * 40)
    assert np.all(np.diff(found.at_s) >= 0)


def test_the_item_of_a_crowd_is_drawn_by_seed_or_given():
    assert chosen_item(Plan("flash-crowd", item=7), 100) == 7
    assert chosen_item(Plan("flash-crowd", seed=5), 100) == chosen_item(Plan("flash-crowd", seed=5), 100) < 100
    assert len({chosen_item(Plan("flash-crowd", seed=s), 1000) for s in range(5)}) > 1


def test_a_recording_is_replayed_at_its_pace_or_faster(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("t,who\n1003.5,a\n1000,b\n1001,a\n1010,c\n")
    at_s = recorded(log)

    assert arrivals(Plan("replay", replayed_s=at_s, seconds=60)).at_s.tolist() == [0, 1, 3.5, 10]
    assert arrivals(Plan("replay", replayed_s=at_s, seconds=60, replay_speed=2)).at_s.tolist() == [0, 0.5, 1.75, 5]
    assert len(arrivals(Plan("replay", replayed_s=at_s, seconds=5))) == 3, "what is later than the run is left out"


@settings(max_examples=40, deadline=None)
@given(shape=st.sampled_from(MADE), seed=st.integers(0, 10), of=st.integers(1, 7))
def test_workers_share_arrivals_without_loss_or_copy(shape, seed, of):
    whole = arrivals(Plan(shape, rate=30, seconds=10, seed=seed))
    parts = [whole.part(worker, of) for worker in range(of)]

    assert sorted(t for p in parts for t in p.at_s.tolist()) == whole.at_s.tolist()
    assert sum(len(p) for p in parts) == len(whole)


@settings(max_examples=40, deadline=None)
@given(shape=st.sampled_from(MADE), seed=st.integers(0, 1000), of=st.floats(1, 50))
def test_a_plan_brings_the_same_arrivals_each_time_in_order_and_in_its_time(shape, seed, of):
    plan = Plan(shape, rate=of, seconds=20, seed=seed)
    once, again = arrivals(plan), arrivals(plan)

    assert np.array_equal(once.at_s, again.at_s)
    assert np.all(np.diff(once.at_s) >= 0)
    assert not len(once) or (once.at_s[0] >= 0 and once.at_s[-1] < 20)
    assert (rate(plan, np.linspace(0, 20, 100), extra=False) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(shorter=st.floats(1, 500), longer=st.floats(501, 900))
def test_a_longer_run_begins_like_a_shorter_one(shorter, longer):
    short, long = unit_arrivals(1, "test", shorter), unit_arrivals(1, "test", longer)

    assert np.array_equal(short, long[: len(short)])


@pytest.mark.parametrize(
    "absurd",
    [
        {"rate": 0}, {"rate": -5}, {"rate": math.nan}, {"rate": math.inf}, {"rate": 1e9}, {"seconds": 0}, {"seconds": -1},
        {"seconds": math.nan}, {"seconds": 1e9}, {"seed": -1}, {"shape": "sine"}, {"shape": "spike", "factor": 0},
        {"shape": "spike", "rate": 9_000.0, "factor": 2}, {"shape": "bot-swarm", "factor": 1}, {"shape": "replay"},
        {"steps": 1}, {"swing": 1.5}, {"from_share": 0.7}, {"rate": 5_000.0, "seconds": 86_400}, {"replay_speed": 0},
    ],
)  # fmt: skip
def test_an_absurd_plan_is_refused(absurd):
    with pytest.raises(SandboxError, match="CFG-004"):
        Plan(**absurd)


@pytest.mark.parametrize("text", ["t\n", "s\n1\n", "t\n1\nx\n", "t\n1\ninf\n"])
def test_a_recording_that_is_none_is_refused(tmp_path, text):
    log = tmp_path / "log.csv"
    log.write_text(text)

    with pytest.raises(SandboxError, match="CFG-003"):
        recorded(log)


def test_every_shape_says_what_it_is_for():
    assert set(ABOUT) == set(SHAPES)
    assert Plan.of(Plan("steps", rate=3).document()) == Plan("steps", rate=3)
