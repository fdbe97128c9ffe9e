"""Dwell times are read in another unit: of the right type, in range, and sixty times too small."""

import pytest

FAULT = "schema-silent-cast"
VALUES = "SELECT request_id, item_id, kind, value FROM t ORDER BY ALL"


def test_dwell_times_come_out_smaller_by_the_factor_and_no_check_of_types_or_ranges_says_so(made):
    healthy, cast = made("ingest"), made("ingest", FAULT, checked=True, factor=1 / 60)

    for one, other in zip(healthy.rows("outcomes_in", VALUES), cast.rows("outcomes_in", VALUES), strict=True):
        assert one[:3] == other[:3]
        assert other[3] == pytest.approx(one[3] / 60 if one[2] == "dwell" else one[3])
    assert {found.verdict for found in cast.run.checks} <= {"pass", "not estimable"}


def test_what_came_before_the_clients_release_is_read_as_it_was_written(made):
    healthy, cast = made("ingest"), made("ingest", FAULT, factor=1 / 60, days=2)

    changed = [
        one[3] != other[3]
        for one, other in zip(healthy.rows("outcomes_in", VALUES), cast.rows("outcomes_in", VALUES), strict=True)
        if one[2] == "dwell"
    ]
    assert 0 < sum(changed) < len(changed)


def test_nobody_is_said_to_stay(made):
    asked = "SELECT sum(long_dwell::INT), sum(click::INT) FROM t"
    healthy, cast = made("training_set"), made("training_set", FAULT, factor=1 / 1_000)

    (stayed, clicked), (stayed_cast, clicked_cast) = healthy.rows("examples", asked)[0], cast.rows("examples", asked)[0]
    assert stayed > stayed_cast == 0
    assert clicked == clicked_cast
