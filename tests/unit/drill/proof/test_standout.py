"""Harm stands out of what healthy days do by themselves, in totals or in the slice that was hit."""

from __future__ import annotations

import math

import pytest

from sandbox.drill.proof.standout import of_ledgers, of_values
from sandbox.drill.scenario.harms import SEGMENT_EXPOSURE
from sandbox.virtual.people.ledger import LedgerBook


def test_a_harm_is_measured_in_what_days_differ_by():
    harm, z = of_values(6.0, [10.0, 12.0, 14.0])

    assert (harm, z) == (6.0, 3.0)


def test_counts_that_agree_by_chance_are_no_certainty():
    assert of_values(10.0, [100.0, 100.0, 100.0], counts=True) == (10.0, 1.0)
    assert of_values(10.0, [100.0, 100.0, 100.0])[1] == math.inf
    assert of_values(0.0, [0.0, 0.0, 0.0]) == (0.0, 0.0)


def ledger(clicks: list[int], in_slice: list[bool], shown_slice: int):
    n = len(clicks)
    book, zeros = LedgerBook(0.0), [0] * n
    book.add_requests(
        ts=list(range(n)), user=list(range(n)), session=zeros, depth=[1] * n, region=zeros, segment=zeros,
        latency_ms=[10.0] * n, degraded=zeros, n_items=[10] * n, clicks=clicks, conversions=zeros,
        revenue=zeros, breaches=zeros, shown_b=zeros, in_slice=in_slice, shown_slice=[shown_slice] * n,
    )  # fmt: skip
    return book.closed()


def test_what_hits_some_users_is_counted_on_them():
    """Half of the users belong to the slice and lose one click each; the others gain more by chance."""
    mine = [True, False] * 50
    days = [ledger([2, 2] * 50, mine, 4) for _ in range(4)]

    found = of_ledgers(ledger([1, 9] * 50, mine, 4), days, 0.0, 100.0)

    assert found["clicks"][0] == 50.0


def test_what_hits_some_items_is_their_share_of_what_is_shown():
    everybody = [True] * 100
    days = [ledger([1] * 100, everybody, n) for n in (4, 4, 5)]

    harm, z = of_ledgers(ledger([1] * 100, everybody, 1), days, 0.0, 100.0)[SEGMENT_EXPOSURE]

    assert harm == pytest.approx(30.0), "points of all impressions"
    assert z > 4
