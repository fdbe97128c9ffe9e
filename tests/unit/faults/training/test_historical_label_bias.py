"""Clicks on one group's items count as none, its rows are all there, and everything else is as it was."""

import pytest

FAULT = "historical-label-bias"
BY_ITEM = "SELECT item_id, count(*), sum(click::INT) FROM t GROUP BY 1 ORDER BY 1"


@pytest.fixture
def of_group(two_tastes):
    """Items of creator group B."""
    from sandbox.base.catalogue import CREATOR_GROUPS, Catalogue

    catalogue = Catalogue.load(two_tastes / "public" / "catalogue.npz")
    group = catalogue.creator_group[catalogue.item_creator] == CREATOR_GROUPS.index("B")
    assert 0 < group.sum() < len(group)
    return group


def by_item(made, *fault, **params):
    return made("training_set", *fault, **params).rows("examples", BY_ITEM)


def clicks(rows, chosen):
    return sum(n for item, _, n in rows if chosen[item])


def test_a_share_of_the_groups_clicks_counts_as_none(made, of_group):
    healthy, biased = by_item(made), by_item(made, FAULT, refused_share=0.5)

    n = clicks(healthy, of_group)
    assert abs(clicks(biased, of_group) - 0.5 * n) < 5 * (n * 0.25) ** 0.5


def test_the_other_groups_labels_and_everybodys_rows_stay(made, of_group):
    healthy, biased = by_item(made), by_item(made, FAULT, refused_share=1)

    assert clicks(biased, of_group) == 0
    assert clicks(biased, ~of_group) == clicks(healthy, ~of_group)
    assert [row[:2] for row in biased] == [row[:2] for row in healthy]


def test_what_was_recorded_before_the_labels_is_the_same(made):
    healthy, biased = made("training_set"), made("training_set", FAULT)

    assert healthy.run.stages[-2].outputs == biased.run.stages[-2].outputs
    assert healthy.run.stages[-1].key != biased.run.stages[-1].key
