"""Coordinated omission, shown: one frozen service, one load that waits and one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.lab.closed import asked, callers
from loadtest.lab.histogram import Histogram
from loadtest.lab.report.picture import frozen_service


def test_a_load_that_waits_does_not_see_a_freeze_that_its_users_do():
    """Of 30,000 requests 1,400 come during the freeze: 4.7 %, so the 99th percentile lies among them. One caller who
    waits makes a single one of these requests: to it the service has a 99th percentile of a millisecond."""
    arrived, done = frozen_service()
    mine = asked(arrived, done, callers(arrived, done))
    every = Histogram.of((done - arrived) * 1000).percentiles_ms([50, 99])
    waiting = Histogram.of((done - arrived)[mine] * 1000).percentiles_ms([50, 99])

    assert every["50"] == pytest.approx(1.0, rel=0.01)
    assert waiting["50"] == pytest.approx(1.0, rel=0.01)
    assert every["99"] > 1_000
    assert waiting["99"] < 2


def test_while_all_goes_well_enough_callers_make_every_request():
    arrived = np.arange(0, 10, 0.01)
    done = arrived + 0.035

    assert callers(arrived, done) == 4
    assert asked(arrived, done, 4).all()
    assert asked(arrived, done, 1).mean() == pytest.approx(0.25, abs=0.01)


def test_nobody_asks_before_the_answer_is_there():
    started, done = np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.5, 1.5, 2.2, 9.0])

    assert asked(started, done, 1).tolist() == [True, False, False, True]
    assert asked(started, done, 2).tolist() == [True, True, True, True]
    assert callers(np.array([1.0]), np.array([2.0])) == 1
