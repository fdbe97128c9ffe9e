"""Harm stands out of what healthy days do by themselves, in totals or in the slice that was hit."""

from __future__ import annotations

import math

import duckdb
import pytest

from sandbox.drill.queries import filled
from sandbox.drill.standout import exposure_sql, of_values


def test_a_harm_is_measured_in_what_days_differ_by():
    harm, z = of_values(6.0, [10.0, 12.0, 14.0])

    assert (harm, z) == (6.0, 3.0)


def test_counts_that_agree_by_chance_are_no_certainty():
    assert of_values(10.0, [100.0, 100.0, 100.0], counts=True) == (10.0, 1.0)
    assert of_values(10.0, [100.0, 100.0, 100.0])[1] == math.inf
    assert of_values(0.0, [0.0, 0.0, 0.0]) == (0.0, 0.0)


def test_whose_items_were_hit_is_told_from_what_is_shown_since():
    con = duckdb.connect()
    con.execute("CREATE TABLE items (item_id INT, lang VARCHAR, category VARCHAR)")
    con.execute(
        "INSERT INTO items VALUES (1, 'de', 'cooking'), (2, 'fr', 'music'), (3, 'en', 'cooking')"
    )
    con.execute("CREATE TABLE impressions (item_id INT, ts TIMESTAMP)")
    con.execute("INSERT INTO impressions VALUES (1, '1970-01-01 00:00:10'), (2, '1970-01-01 00:01:40'),"
                " (3, '1970-01-01 00:01:50'), (1, '1970-01-01 00:02:00'), (3, '1970-01-01 00:02:10')")  # fmt: skip

    def points(segment) -> float:
        return con.execute(filled(exposure_sql(segment), {"since": 60.0})).fetchone()[0]

    assert points({"lang": ["de", "fr"]}) == 50.0
    assert points({"lang": ["de", "fr"], "category": "cooking"}) == 25.0
    assert points({"lang": "it's"}) == 0.0


@pytest.mark.parametrize("segment", [{}, {"region": "EU"}, {"lang": "de", "region": "EU"}])
def test_everyone_and_kinds_of_users_are_no_slice_of_the_catalogue(segment):
    assert exposure_sql(segment) is None
