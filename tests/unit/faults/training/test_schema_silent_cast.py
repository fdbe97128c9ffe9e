"""A unit, a list of kinds and a value that does not parse: read as something else, and every count is as it was."""

from __future__ import annotations

import pytest

FAULT = "schema-silent-cast"
COUNTED = "SELECT kind, count(*), sum(value) FROM t GROUP BY 1 ORDER BY 1"


def by_kind(made):
    return {kind: (n, value) for kind, n, value in made.rows("outcomes_in", COUNTED)}


def test_minutes_read_as_seconds_shorten_every_stay_and_nothing_else(made):
    healthy, broken = by_kind(made("ingest")), by_kind(made("ingest", FAULT, mode="unit", factor=1 / 60))

    assert {k: n for k, (n, _) in broken.items()} == {k: n for k, (n, _) in healthy.items()}
    assert broken["dwell"][1] == pytest.approx(healthy["dwell"][1] / 60, rel=1e-5)
    assert all(broken[kind] == healthy[kind] for kind in healthy if kind != "dwell")


def test_a_value_that_no_longer_parses_is_nought(made):
    healthy = by_kind(made("ingest"))
    broken = by_kind(made("ingest", FAULT, mode="null_cast", kind="conversion"))

    assert broken["conversion"] == (healthy["conversion"][0], 0)
    assert broken["dwell"] == healthy["dwell"]


def test_kinds_by_a_list_of_before_are_their_neighbours(made):
    healthy, broken = by_kind(made("ingest")), by_kind(made("ingest", FAULT, mode="enum_shift"))

    assert sum(n for n, _ in broken.values()) == sum(n for n, _ in healthy.values())
    assert broken["click"][0] == healthy["dwell"][0]
    assert broken.get("dwell", (0, 0))[0] == healthy.get("like", (0, 0))[0]


def test_a_share_of_the_events_is_hit(made):
    healthy = by_kind(made("ingest"))["dwell"][1]
    broken = by_kind(made("ingest", FAULT, mode="null_cast", cast_share=0.5))["dwell"][1]

    assert 0.4 < broken / healthy < 0.6


def test_labels_of_long_stays_go_and_clicks_remain(made):
    asked = "SELECT count(click_ts), count(*) FILTER (dwell_s >= 30) FROM t"
    (clicks, long), (clicks_left, long_left) = (
        m.rows("labels", asked)[0] for m in (made("labels"), made("labels", FAULT))
    )

    assert long > 0
    assert (clicks_left, long_left) == (clicks, 0)
