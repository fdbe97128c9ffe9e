"""What people did with the busiest items comes several times: with its ids it counts once, with others each time anew."""

import pytest

from tests.unit.pipeline.stages.small import dataset

FAULT = "event-duplication"
BY_ITEM = "SELECT item_id, count(*), count(click_ts) FROM t GROUP BY 1 ORDER BY 1"
CLICKS = "SELECT item_id, count(*) FROM t WHERE kind = 'click' GROUP BY 1 ORDER BY 2 DESC, 1"
EACH = {"share": 1, "copies": 2, "busiest_share": 0.1}  # every click on the eight busiest of eighty items, three times


@pytest.fixture
def busiest(made):
    """The eight items with most clicks in the log, and how many clicks and rows of outcomes they have."""
    items = [item for item, _ in made("ingest").rows("outcomes_in", CLICKS)[:8]]
    clicks, outcomes = made("ingest").rows(
        "outcomes_in", f"SELECT count(*) FILTER (kind = 'click'), count(*) FROM t WHERE item_id IN {tuple(items)}"
    )[0]
    return items, clicks, outcomes


def counts(made, stage, *fault, **params):
    return next(one for one in made("deduplicate", *fault, **params).run.stages if one.stage == stage)


def test_each_delivery_brings_the_place_and_all_that_came_of_the_click(made, busiest):
    _, clicks, outcomes = busiest

    healthy, broken = counts(made, "ingest"), counts(made, "ingest", FAULT, **EACH)

    assert broken.rows_in - healthy.rows_in == 2 * (clicks + outcomes)
    assert broken.dropped == healthy.dropped == {}


def test_with_ids_kept_deduplication_finds_every_one_and_leaves_the_healthy_log(made, busiest):
    _, clicks, outcomes = busiest

    kept = made("deduplicate", FAULT, new_ids=False, **EACH)

    assert kept.dropped("deduplicate") == {"duplicate": 2 * (clicks + outcomes)}
    assert kept.run.stages[-1].outputs == made("deduplicate").run.stages[-1].outputs


def test_with_ids_of_their_own_deduplication_finds_none(made):
    broken = counts(made, "deduplicate", FAULT, **EACH)

    assert broken.dropped == {}
    assert broken.rows_out == broken.rows_in > counts(made, "deduplicate").rows_out


def test_no_check_of_what_comes_twice_or_finds_its_page_says_anything(made):
    broken = made("labels", FAULT, checked=True, **EACH)
    kept = made("labels", FAULT, checked=True, new_ids=False, **EACH)

    assert (broken.verdict("deduplicate_share"), broken.verdict("labels_join_rate")) == ("pass", "pass")
    assert kept.verdict("deduplicate_share") == "fail"


def test_click_labels_of_the_busiest_items_are_there_three_times_and_the_others_once(made, busiest):
    healthy, broken = made("labels").rows("labels", BY_ITEM), made("labels", FAULT, **EACH).rows("labels", BY_ITEM)

    for (item, rows, clicks), (same, more_rows, more_clicks) in zip(healthy, broken, strict=True):
        added = 2 * clicks if item in busiest[0] else 0
        assert (same, more_rows, more_clicks) == (item, rows + added, clicks + added)


def test_a_person_has_done_one_thing_several_times_at_one_moment(made):
    asked = "SELECT max(n), count(*) FILTER (n > 1) FROM (SELECT count(*) AS n FROM t GROUP BY user_id, item_id, ts)"

    assert made("labels").rows("labels", asked) == [(1, 0)]
    most, repeated = made("labels", FAULT, **EACH).rows("labels", asked)[0]
    assert (most, repeated > 100) == (3, True)


def test_their_click_rate_in_training_rises_and_that_of_the_others_of_other_creators_does_not(made, busiest):
    asked = f"SELECT avg(ctr_28d) FROM t WHERE as_of = (SELECT max(as_of) FROM t) AND item_id IN {tuple(busiest[0])}"

    (before,), (after,) = (
        made("features", *f, **p).rows("item_stats", asked)[0] for f, p in (((), {}), ((FAULT,), EACH))
    )

    assert after > 1.4 * before  # of a click rate c, 3c / (1 + 2c): .3 becomes .56


def test_they_weigh_more_in_what_the_models_learn_from(made, busiest):
    asked = f"SELECT avg((item_id IN {tuple(busiest[0])})::INT) FROM t"

    healthy, broken = (made("training_set", *f, **p) for f, p in (((), {}), ((FAULT,), EACH)))

    before, after = (one.rows("tower_rows", asked)[0][0] for one in (healthy, broken))
    assert after == pytest.approx(3 * before / (1 + 2 * before), rel=0.02)


def test_a_share_of_the_clicks_is_delivered_again_whole_pages_of_them(made, busiest):
    _, clicks, _ = busiest

    healthy, broken = made("labels"), made("labels", FAULT, share=0.5, copies=1, busiest_share=0.1)

    added = sum(n for *_, n in broken.rows("labels", BY_ITEM)) - sum(n for *_, n in healthy.rows("labels", BY_ITEM))
    assert abs(added - 0.5 * clicks) < 5 * (clicks * 0.25) ** 0.5


def test_an_id_that_the_source_has_itself_is_made_anew_as_well(tmp_path):
    """A collector that numbers what it receives: the id of the event, and not that of the page, is what deduplication reads."""
    import numpy as np

    from faults.arming import Spec
    from faults.stages import armed_stages
    from sandbox.pipeline.stages.settings import PipelineConfig
    from tests.unit.pipeline.stages.small import engine, rows, small_world
    from tests.unit.pipeline.two_tastes import tables

    shown, outcomes = tables()
    world = small_world(tmp_path / "world", shown, outcomes | {"event_id": np.arange(len(outcomes["kind"]))})

    def ran(**params):
        built = engine(
            world, checked=False, armed=armed_stages(Spec(fault=FAULT, params=params | EACH, seed=5)), books=tmp_path
        )
        run = built.run(PipelineConfig(), until="deduplicate")
        return run.stages[-1].dropped, rows(
            dataset(built, run, "outcomes_once"), "SELECT count(*) - count(DISTINCT event_id) FROM t"
        )

    assert ran() == ({}, [(0,)])
    assert ran(new_ids=False)[0]["duplicate"] > 100


def test_nothing_delivered_again_or_found_again_is_refused_as_idle():
    from faults.catalogue import CATALOGUE

    fault = CATALOGUE[FAULT]

    assert "nothing is delivered" in fault.idle(fault.Params(share=0), {})
    assert "duplicate" in fault.idle(fault.Params(new_ids=False), {})
    assert fault.idle(fault.Params(), {}) is None
