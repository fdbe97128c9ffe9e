from types import SimpleNamespace

import numpy as np
import pytest

from sandbox.base.catalogue import LANGUAGES, REGIONS
from sandbox.base.errors import SandboxError
from tests.unit.faults.traffic.test_flash_crowd import Callers, drawn

# Users 0 to 3: Turkish at home and abroad, Polish, English.
USERS = SimpleNamespace(
    n_users=4,
    user_language=np.array([LANGUAGES.index(code) for code in ("tr", "tr", "pl", "en")]),
    user_region=np.array([REGIONS.index(code) for code in ("EU", "US", "EU", "US")]),
)


def reached(bench, **params):
    arrivals = Callers()
    arrivals.catalogue = USERS
    come = drawn(bench(fault="benign-mix-shift", params=params), arrivals)
    (_, _, factor, _, users) = arrivals.asked[0]
    return len(come.ts), factor, np.flatnonzero(users).tolist()


def test_a_campaign_brings_the_speakers_of_two_languages_beside_the_usual_visits(bench):
    n, factor, users = reached(bench, languages=["tr", "pl"], extra_share=0.5)

    assert (n, factor, users) == (90, 0.5, [0, 1, 2])


def test_language_and_region_must_both_fit(bench):
    assert reached(bench, languages=["tr", "pl"], regions=["EU"])[2] == [0, 2]


def test_without_a_language_or_region_anybody_comes(bench):
    assert reached(bench)[2] == [0, 1, 2, 3]


def test_a_language_that_nobody_has_heard_of_is_refused(bench):
    with pytest.raises(SandboxError, match="FLT-002"):
        bench(fault="benign-mix-shift", params={"languages": ["klingon"]})
