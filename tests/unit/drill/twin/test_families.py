"""Which runs begin alike, where they part, and what it costs to run them together."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.families import Parting, cost_s, families, partings
from tests.unit.drill.scenes import scenario

NOTHING = ArmPlan(scenario(), "tiny", 1, True, (), 9_000.0)
EARLY, LATE = (2_000.0, "rebuild-index"), (6_000.0, "skip-backlog")


def doing(*actions: tuple[float, str], until_s: float = 9_000.0) -> ArmPlan:
    return replace(NOTHING, actions=actions, until_s=until_s)


def test_runs_of_another_seed_or_without_the_faults_are_another_family():
    other, healthy = replace(NOTHING, seed=2), replace(NOTHING, faults=False)

    found = families([NOTHING, other, doing(EARLY), healthy])

    assert found == [[NOTHING, doing(EARLY)], [other], [healthy]]


def test_they_part_at_the_next_thing_that_one_does_or_at_an_end():
    short = doing(until_s=1_800.0)

    assert partings([NOTHING, doing(LATE), doing(EARLY, LATE), doing(EARLY), short], 0) == [
        Parting(1_800.0, None, (short,)),
        Parting(2_000.0, "rebuild-index", (doing(EARLY, LATE), doing(EARLY))),
        Parting(6_000.0, "skip-backlog", (doing(LATE),)),
        Parting(9_000.0, None, (NOTHING,)),
    ]
    assert partings([doing(EARLY, LATE), doing(EARLY)], 1) == [
        Parting(6_000.0, "skip-backlog", (doing(EARLY, LATE),)),
        Parting(9_000.0, None, (doing(EARLY),)),
    ]


def test_what_would_be_done_after_the_end_is_not_done():
    assert partings([doing(LATE, until_s=5_000.0)], 0) == [Parting(5_000.0, None, (doing(LATE, until_s=5_000.0),))]


def test_what_is_common_costs_once():
    assert cost_s([NOTHING]) == 9_000.0
    assert cost_s([NOTHING, doing(LATE)]) == 9_000.0 + 3_000.0
    assert cost_s([NOTHING, doing(EARLY), doing(EARLY, LATE)]) == 9_000.0 + 7_000.0 + 3_000.0


@given(st.lists(st.tuples(st.sampled_from([1_000.0, 2_000.0, 7_000.0, 8_000.0]), st.sampled_from("ab")), max_size=4),
       st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=5))  # fmt: skip
def test_together_they_never_cost_more_and_never_less_than_the_longest(deeds, picks):
    plans = list(
        {p.key: p for p in (doing(*(deeds[i] for i in sorted(set(of)) if i < len(deeds))) for of in picks)}.values()
    )

    whole = sum(cost_s(of) for of in families(plans))

    assert max(p.until_s for p in plans) <= whole <= sum(p.until_s for p in plans)
