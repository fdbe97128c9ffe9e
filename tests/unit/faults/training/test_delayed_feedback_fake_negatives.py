"""A row that is read too soon knows its click and not its sale, and counts as whole."""

from __future__ import annotations

FAULT = "delayed-feedback-fake-negatives"
ASKED = "SELECT sum(click::INT), sum(conversion::INT), count(*), sum(mature::INT) FROM t"


def of(made):
    return made.rows("examples", ASKED)[0]


def test_sales_that_come_later_are_learned_as_none_and_clicks_are_not_touched(made):
    clicks, sales, n, mature = of(made("training_set"))
    clicks_left, sales_left, n_left, mature_left = of(made("training_set", FAULT, read_after_h=0.5))

    assert (clicks_left, n_left) == (clicks, n)
    assert sales_left < 0.6 * sales
    assert mature_left == mature, "by its age, whenever it was read"


def test_whoever_waits_longer_loses_less(made):
    left = [of(made("training_set", FAULT, read_after_h=h))[1] for h in (0.05, 1, 12, 47.9)]

    assert left == sorted(left)
    assert left[0] < left[-1]


def test_the_labels_themselves_stay_as_they_were(made):
    healthy, broken = made("training_set"), made("training_set", FAULT, read_after_h=0.5)

    assert [s.outputs for s in broken.run.stages[:-1]] == [s.outputs for s in healthy.run.stages[:-1]]
