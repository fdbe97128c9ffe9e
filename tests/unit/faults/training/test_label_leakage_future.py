"""Rows to learn from get the features of the midnight after them, and the pipeline's own record says so."""

from sandbox.base.clock import DAY_S

FAULT = "label-leakage-future"
JOINED = 'SELECT ts, user_id, item_id, feature_as_of, "item_stats.clicks_log", "user_profile.clicks_28d_log" FROM t ORDER BY ALL'


def test_each_row_is_joined_with_what_was_counted_a_day_later(made):
    healthy, leaky = made("training_set"), made("training_set", FAULT)

    honest, knowing = healthy.rows("examples", JOINED), leaky.rows("examples", JOINED)

    assert [row[:3] for row in honest] == [row[:3] for row in knowing]
    assert {b[3] - a[3] for a, b in zip(honest, knowing, strict=True)} == {DAY_S}
    assert all(row[3] > row[0] for row in knowing)
    later = sum(b[4] > a[4] for a, b in zip(honest, knowing, strict=True))
    assert later > 0.7 * len(honest)  # an item has more clicks by then


def test_a_view_that_is_not_named_stays_as_it_was_known(made):
    healthy, leaky = made("training_set"), made("training_set", FAULT, views=["user_profile"])

    honest, knowing = healthy.rows("examples", JOINED), leaky.rows("examples", JOINED)

    assert [row[4] for row in honest] == [row[4] for row in knowing]
    assert [row[5] for row in honest] != [row[5] for row in knowing]


def test_the_check_of_times_fails_and_no_stage_drops_another_row(made):
    healthy, leaky = made("training_set", checked=True), made("training_set", FAULT, checked=True)

    assert (healthy.verdict("training_leak"), leaky.verdict("training_leak")) == ("pass", "fail")
    assert [(s.rows_in, s.rows_out, s.dropped) for s in healthy.run.stages] == [
        (s.rows_in, s.rows_out, s.dropped) for s in leaky.run.stages
    ]
