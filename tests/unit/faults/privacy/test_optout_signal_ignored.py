import asyncio

import numpy as np
import pytest

from services.features.consents import ConsentLedger, Entry, answered, consent_call

NOW = 1_000.0
# 1 said no in the browser, 2 on the settings page, 3 said yes and then no in the browser, 4 nothing; 1 and 4 live
# where nothing said is a yes, 5 is as 1 where it is a no.
LEDGER = ConsentLedger(
    {1: [Entry(10, False, "gpc")], 2: [Entry(10, False, "ui")], 3: [Entry(10, True, "ui"), Entry(20, False, "gpc")],
     5: [Entry(10, False, "gpc")]},
    np.array([False, True, False, False, True, False]),
)  # fmt: skip


def granted(armed, user):
    async def ledger(call):
        return answered(LEDGER, call)

    return asyncio.run(armed.seam.run(consent_call(user, NOW, 1, 1, 2), ledger))[0]


def test_a_no_of_the_browser_counts_for_nothing_and_what_was_said_before_it_does(bench):
    armed = bench(fault="optout-signal-ignored")

    assert [granted(armed, user) for user in (1, 2, 3, 4, 5)] == [True, False, True, True, False]


def test_out_of_scope_every_signal_counts(bench):
    armed = bench(fault="optout-signal-ignored", scope={"user_buckets": [2, 100]})

    assert [granted(armed, user) for user in (1, 3)] == [False, True]


def test_the_other_signal_can_be_the_one_that_is_not_heard(bench):
    armed = bench(fault="optout-signal-ignored", params={"signal": "ui"})

    assert [granted(armed, user) for user in (1, 2, 3)] == [False, False, False]


def test_unwrapped_the_next_question_is_answered_in_full(bench):
    armed = bench(fault="optout-signal-ignored")
    assert granted(armed, 1)
    armed.seam.take_off(armed.armed)

    assert not granted(armed, 1)


@pytest.mark.parametrize("user", [-1, 6])
def test_a_user_of_no_world_is_refused(user):
    with pytest.raises(Exception, match="WIRE-003"):
        LEDGER.says(user, NOW)
