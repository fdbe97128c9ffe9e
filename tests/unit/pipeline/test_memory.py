"""What is read out of a long log takes a small part of it: a copy of all for a few late rows would be most of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from sandbox.base.clock import DAY_S
from sandbox.pipeline import popular
from sandbox.pipeline.events import Log, known_after
from sandbox.pipeline.features import snapshot
from sandbox.pipeline.training_set import Sampling, examples_of, sampled
from tests.unit.pipeline.two_tastes import ITEMS, START, USERS, catalogue

N, DAYS = 100_000, 42
END = START + DAYS * DAY_S


@pytest.fixture(scope="module")
def log() -> Log:
    """Six weeks of which each tenth row is clicked, the last of them so that it is known after the end."""
    rng = np.random.default_rng(1)
    ts = np.linspace(START, END - 1, N)
    clicked = np.arange(N) % 10 == 9
    click_ts, nan = np.where(clicked, ts + 2, np.nan), np.full(N, np.nan)
    return Log(
        ts=ts, request=np.arange(N) // 10, session=np.arange(N) // 50, user=rng.integers(0, USERS, N).astype(np.int32),
        item=rng.integers(0, ITEMS, N).astype(np.int32), position=np.ones(N, np.int16), randomised=np.zeros(N, bool),
        clicked=clicked, click_ts=click_ts, dwell_s=np.where(clicked, 40.0, np.nan).astype(np.float32),
        liked=np.zeros(N, bool), hidden=np.arange(N) % 50 == 0, converted_ts=nan, value=clicked.astype(np.float32),
        known_s=known_after(ts, ts), click_known_s=known_after(ts, click_ts), dwell_known_s=known_after(ts, click_ts + 40),
        like_known_s=known_after(ts, nan), hide_known_s=known_after(ts, np.where(np.arange(N) % 50 == 0, ts, np.nan)), conversion_known_s=known_after(ts, nan),
    )  # fmt: skip


def most(read: Callable[[], object], log: Log) -> float:
    """The most that it held at once, as a share of the log."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1] / sum(getattr(log, f.name).nbytes for f in fields(Log))
    finally:
        tracemalloc.stop()


def test_a_night_of_batch_jobs_and_a_training_hold_a_part_of_the_log(log: Log) -> None:
    week = Sampling(max_rows=N // 50, days=7.0)

    assert log.before(END).clicked.sum() == log.clicked.sum() - 1  # one is late
    assert most(lambda: snapshot(log, catalogue(), END), log) < 0.3
    assert most(lambda: popular.by_region(log, catalogue(), END), log) < 0.3
    assert most(lambda: sampled(examples_of(log, END, week.days), week, 1), log) < 0.4


def test_what_the_short_ways_find_is_what_the_long_one_does(log: Log) -> None:
    week = Sampling(max_rows=N // 50, days=7.0)
    whole = log.before(END)

    clicks, shown = log.clicks_before(END), log.shown_before(END)

    for f in fields(Log):
        np.testing.assert_array_equal(getattr(clicks, f.name), getattr(whole, f.name)[whole.clicked])
    assert len(shown) == len(whole)
    few = examples_of(log, END, week.days)
    assert few.ts[0] >= few.ts[-1] - 7 * DAY_S > log.ts[0]
    assert sampled(few, week, 1).digest() == sampled(examples_of(log, END), week, 1).digest()
