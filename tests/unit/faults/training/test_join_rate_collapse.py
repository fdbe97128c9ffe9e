"""What people of one region do finds no page that it belongs to: dropped, counted, and learned as if it had not been."""

import pytest

from sandbox.base.catalogue import REGIONS, Catalogue

FAULT = "join-rate-collapse"
BY_USER = "SELECT user_id, count(*), count(click_ts) FROM t GROUP BY 1 ORDER BY 1"


@pytest.fixture
def region_of(two_tastes):
    """Names of the users' regions, and the one that most of them live in."""
    region = Catalogue.load(two_tastes / "public" / "catalogue.npz").user_region
    return [REGIONS[code] for code in region]


def clicks(made, chosen):
    return sum(n for user, _, n in made.rows("labels", BY_USER) if chosen(user))


def test_outcomes_of_the_region_are_dropped_for_want_of_an_impression(made, region_of):
    healthy = made("labels", checked=True)
    broken = made("labels", FAULT, checked=True, regions=[region_of[0]], renamed_share=1)

    assert clicks(broken, lambda user: region_of[user] == region_of[0]) == 0
    assert "no_impression" not in healthy.dropped("labels")
    assert broken.dropped("labels")["no_impression"] >= clicks(healthy, lambda user: region_of[user] == region_of[0])
    assert (healthy.verdict("labels_join_rate"), broken.verdict("labels_join_rate")) == ("pass", "fail")


def test_a_region_that_nobody_lives_in_changes_nothing(made, region_of):
    elsewhere = next(region for region in REGIONS if region not in region_of)

    assert made("labels", FAULT, regions=[elsewhere]).run.stages[-1].outputs == made("labels").run.stages[-1].outputs


def test_raw_counts_are_as_ever(made, region_of):
    healthy, broken = made("ingest"), made("ingest", FAULT, regions=[region_of[0]], renamed_share=1)

    assert (broken.run.stages[0].rows_in, broken.run.stages[0].dropped) == (healthy.run.stages[0].rows_in, {})


def test_a_share_of_the_outcomes_is_renamed(made, region_of):
    healthy, broken = made("ingest"), made("ingest", FAULT, regions=[region_of[0]], renamed_share=0.5)

    asked = "SELECT count(*) FILTER (request_id >= 1099511627776), count(*) FROM t"
    n_renamed, n = broken.rows("outcomes_in", asked)[0]
    of_region = region_of.count(region_of[0]) / len(region_of)
    assert healthy.rows("outcomes_in", asked) == [(0, n)]
    assert abs(n_renamed / n - 0.5 * of_region) < 0.05


def test_a_region_that_there_is_not_is_refused(made):
    with pytest.raises(Exception, match="none of EU"):
        made("ingest", FAULT, regions=["Mars"])
