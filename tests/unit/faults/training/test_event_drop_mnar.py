"""What is lost by chance costs rows; what is lost by where or what it was is learned as not wanted, and every count adds up."""

from __future__ import annotations

import pytest

from sandbox.base.catalogue import REGIONS, Catalogue

FAULT = "event-drop-mnar"
LABELLED = "SELECT count(*), count(click_ts), count(*) FILTER (dwell_s >= 60) FROM t"


@pytest.fixture
def region_of(two_tastes):
    region = Catalogue.load(two_tastes / "public" / "catalogue.npz").user_region
    return [REGIONS[code] for code in region]


def by_user(made):
    return dict(made.rows("labels", "SELECT user_id, count(click_ts) FROM t GROUP BY 1"))


def test_by_value_what_people_stayed_with_reads_as_not_wanted_and_all_else_is_there(made):
    healthy, broken = made("labels"), made("labels", FAULT, by="value", dwell_s=60, lost_share=1)

    (shown, clicks, long), (still_shown, left, long_left) = (m.rows("labels", LABELLED)[0] for m in (healthy, broken))
    assert long > 0
    assert (still_shown, left, long_left) == (shown, clicks - long, 0)
    assert broken.dropped("labels").get("no_impression") == healthy.dropped("labels").get("no_impression"), (
        "the join is whole"
    )


def test_by_region_only_its_people_lose_and_by_chance_everybody_does(made, region_of):
    healthy = by_user(made("labels"))
    home = region_of[0]
    of_home = by_user(made("labels", FAULT, by="region", regions=[home], lost_share=1))
    assert {u for u in healthy if of_home[u] != healthy[u]} == {
        u for u in healthy if healthy[u] and region_of[u] == home
    }
    assert sum(of_home[u] for u in healthy if region_of[u] == home) == 0

    half = by_user(made("labels", FAULT, by="chance", lost_share=0.5))
    assert 0.4 < sum(half.values()) / sum(healthy.values()) < 0.6


def test_the_log_says_how_much_came_in(made):
    healthy, broken = made("ingest"), made("ingest", FAULT, by="chance", lost_share=0.5)

    assert broken.run.stages[0].dropped == {}
    assert broken.run.stages[0].rows_in < healthy.run.stages[0].rows_in


def test_the_same_seed_loses_the_same(made):
    first, again = (made("ingest", FAULT, by="chance", lost_share=0.5).run.stages[0].outputs for _ in range(2))
    assert first == again


def test_a_region_that_there_is_not_is_refused(made):
    with pytest.raises(Exception, match="none of EU"):
        made("ingest", FAULT, by="region", regions=["Mars"])
