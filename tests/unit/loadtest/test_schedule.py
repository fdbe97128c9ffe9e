"""Who visits when: the same people however it is asked, and more of them through the seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtest.schedule import WINDOW_S, Arrivals, Schedule
from loadtest.scripts import TESTER
from sandbox.base.catalogue import Catalogue
from sandbox.base.load import LoadTest, TrafficShape
from sandbox.world.behaviour import Behaviour
from services.skeleton.seams import Seam

START_TS = 1_772_438_400.0
RATE_PER_S = 0.5


@pytest.fixture(scope="module")
def behaviour(tiny: tuple[object, Path]) -> Behaviour:
    return Behaviour.load(tiny[1])


@pytest.fixture(scope="module")
def catalogue(tiny: tuple[object, Path]) -> Catalogue:
    return Catalogue.load(tiny[1] / "public" / "catalogue.npz")


def schedule(behaviour, **more) -> Schedule:
    return Schedule(behaviour, START_TS, RATE_PER_S, 7, shaped=False, **more)


class Doubled:
    """A wrapper by which everybody comes twice."""

    def around_sync(self, call, proceed):
        more = call.attributes["arrivals"].more(*call.payload, 1.0, "doubled")
        return proceed(call).with_(more)


def test_one_by_one_or_as_they_fall_due_the_same_sessions_come(behaviour):
    one, other = schedule(behaviour), schedule(behaviour)

    due = [s for step in range(1, 40) for s in other.due(START_TS + 17.0 * step)]

    assert len(due) > 200
    assert [one.take() for _ in due] == due


def test_nothing_is_handed_out_before_its_time_and_nothing_twice(behaviour):
    row = schedule(behaviour)

    first, again = row.due(START_TS + 90), row.due(START_TS + 90)

    assert first
    assert all(ts <= START_TS + 90 for ts, _, _ in first)
    assert again == []
    assert START_TS + 90 < row.next_ts() <= START_TS + 90 + WINDOW_S


def test_what_is_put_on_the_seam_shows_at_once_after_a_redraw_and_adds_only(behaviour):
    seam, usual = Seam("traffic"), schedule(behaviour)
    row = schedule(behaviour, seam=seam)
    assert row.due(START_TS + 70) == usual.due(START_TS + 70)

    seam.put(Doubled())
    row.redraw(START_TS + 70)
    more, ordinary = row.due(START_TS + 670), usual.due(START_TS + 670)

    assert set(ordinary) < set(more)
    assert more == sorted(more, key=lambda s: s[0])
    assert abs(len(more) / len(ordinary) - 2) < 5 * np.sqrt(6 / len(ordinary))
    assert any(ts < START_TS + 120 for ts, _, _ in set(more) - set(ordinary)), "in this window still"


def test_taken_off_the_rest_of_the_window_is_as_usual(behaviour):
    seam, usual = Seam("traffic"), schedule(behaviour)
    doubled = Doubled()
    seam.put(doubled)
    row = schedule(behaviour, seam=seam)
    row.due(START_TS + 70)
    usual.due(START_TS + 70)

    seam.take_off(doubled)
    row.redraw(START_TS + 70)

    assert row.due(START_TS + 300) == usual.due(START_TS + 300)


def test_further_sessions_have_ids_of_their_own_and_are_of_those_who_were_meant(behaviour, catalogue):
    arrivals = Arrivals(behaviour, catalogue, RATE_PER_S, 7, shaped=False)
    some = np.arange(behaviour.n_users) % 5 == 0
    span = (START_TS, START_TS + 3_600)

    usual, crowd = arrivals.usual(*span), arrivals.more(*span, 1.0, "crowd")
    campaign = arrivals.more(*span, 1.0, "campaign", some)

    assert some[campaign.user].all()
    assert abs(len(campaign.ts) - 1_800) < 5 * np.sqrt(1_800), "as many as usual, by few users"
    ids = [set(s.session.tolist()) for s in (usual, crowd, campaign)]
    assert len(set.union(*ids)) == sum(len(i) for i in ids)
    assert max(max(i) for i in ids) < 2**63


def test_nobody_at_all_is_nobody(behaviour, catalogue):
    arrivals = Arrivals(behaviour, catalogue, RATE_PER_S, 7, shaped=False)

    none = arrivals.more(START_TS, START_TS + 60, 1.0, "x", np.zeros(behaviour.n_users, bool))

    assert len(none.ts) == 0


def shaped(behaviour, catalogue, **shape) -> Schedule:
    wanted = TrafficShape(rate_per_s=20, **shape)
    return Schedule.of(wanted, behaviour, START_TS, 60.0, 7, catalogue=catalogue, seam=Seam("traffic"))


def counts(row: Schedule, *until_s: float) -> list[int]:
    """Sessions that begin by each of these world seconds, since the one before."""
    return [len(row.due(START_TS + s)) for s in until_s]


def test_a_burst_brings_more_and_is_over_again(behaviour, catalogue):
    burst = {"shape": "burst", "to_per_s": 80, "at_s": 3_600, "until_s": 7_200}

    before, within, after = counts(shaped(behaviour, catalogue, **burst), 3_600, 7_200, 10_800)

    assert 3 < within / before < 5
    assert 3 < within / after < 5


def test_a_ramp_down_leaves_fewer(behaviour, catalogue):
    ramp = {"shape": "ramp", "to_per_s": 5, "at_s": 3_600, "until_s": 7_200}

    before, meanwhile, after = counts(shaped(behaviour, catalogue, **ramp), 3_600, 7_200, 10_800)

    assert before > meanwhile > after


def test_a_shape_brings_the_same_people_in_whatever_steps_one_asks(behaviour, catalogue):
    burst = {"shape": "burst", "to_per_s": 80, "at_s": 100, "until_s": 2_000}
    one, other = shaped(behaviour, catalogue, **burst), shaped(behaviour, catalogue, **burst)

    assert one.due(START_TS + 3_000) == [s for step in range(1, 301) for s in other.due(START_TS + 10 * step)]


def test_a_crowd_comes_on_top_of_a_shape(behaviour, catalogue):
    burst = {"shape": "burst", "to_per_s": 80, "at_s": 3_600, "until_s": 7_200}
    plain = counts(shaped(behaviour, catalogue, **burst), 3_600, 7_200)
    seam = Seam("traffic")
    seam.put(Doubled())
    doubled = Schedule.of(
        TrafficShape(rate_per_s=20, **burst), behaviour, START_TS, 60.0, 7, catalogue=catalogue, seam=seam
    )
    for twice, once in zip(counts(doubled, 3_600, 7_200), plain, strict=True):
        assert 1.7 < twice / once < 2.3


def of_the_test(row: Schedule, sessions) -> list[tuple[float, int, int]]:
    return [s for s in sessions if (script := row.script_of(s[2])) and script.user_class == TESTER]


def test_a_load_test_brings_its_own_visits_for_its_time_and_leaves_the_users_as_they_were(behaviour):
    usual, row = schedule(behaviour), schedule(behaviour)
    row.due(START_TS + 100)
    begun, ended = START_TS + 100, START_TS + 100 + 600

    row.test(LoadTest(rate_per_s=60, start_ts=begun, until_ts=ended), START_TS + 100)
    found = row.due(START_TS + 1_000)

    test = of_the_test(row, found)
    assert abs(len(test) - 600) < 5 * np.sqrt(600), "60 a wall second are one a world second"
    assert all(begun <= ts < ended for ts, _, _ in test)
    assert row.script_of(test[0][2]).pages == 1, "an open loop: nobody waits for an answer to ask again"
    usual.due(START_TS + 100)
    assert sorted(set(found) - set(test)) == sorted(usual.due(START_TS + 1_000))


def test_a_load_test_that_is_ended_or_replaced_brings_nothing_more(behaviour):
    row = schedule(behaviour)
    row.test(LoadTest(rate_per_s=60, start_ts=START_TS, until_ts=START_TS + 3_600), START_TS)
    row.due(START_TS + 90)

    row.test(LoadTest(rate_per_s=6, start_ts=START_TS + 90, until_ts=START_TS + 690), START_TS + 90)
    fewer = of_the_test(row, row.due(START_TS + 390))
    row.test(None, START_TS + 390)
    none = of_the_test(row, row.due(START_TS + 690))

    assert 10 < len(fewer) < 60
    assert none == []


@pytest.mark.parametrize("times", [(5.0, 5.0), (5.0, 4.0)])
def test_a_load_test_that_ends_before_it_begins_is_none(times):
    with pytest.raises(ValueError, match="after start_ts"):
        LoadTest(rate_per_s=5, start_ts=times[0], until_ts=times[1])
