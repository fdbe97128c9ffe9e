import asyncio

import numpy as np

from services.features.consents import ConsentLedger, Entry, answered, consent_call

# 1 said yes and was erased, 2 said no and was erased, 3 said no by the settings page, 4 said yes.
LEDGER = ConsentLedger(
    {1: [Entry(10, True, "ui"), Entry(20, False, "erasure")], 2: [Entry(10, False, "ui"), Entry(20, False, "erasure")],
     3: [Entry(10, True, "ui"), Entry(20, False, "ui")], 4: [Entry(10, True, "ui")]},
    np.zeros(5, bool),
)  # fmt: skip


def granted(armed, user):
    async def ledger(call):
        return answered(LEDGER, call)

    return asyncio.run(armed.seam.run(consent_call(user, 1_000.0, 1, 1, 0), ledger))[0]


def test_the_erased_are_back_with_what_they_had_said(bench):
    armed = bench(fault="deletion-incomplete")

    assert [granted(armed, user) for user in (1, 2, 3, 4)] == [True, False, False, True]


def test_out_of_scope_the_erased_stay_so(bench):
    armed = bench(fault="deletion-incomplete", scope={"user_buckets": [2, 100]})

    assert not granted(armed, 1)


def test_unwrapped_they_are_gone_again(bench):
    armed = bench(fault="deletion-incomplete")
    assert granted(armed, 1)
    armed.seam.take_off(armed.armed)

    assert not granted(armed, 1)
