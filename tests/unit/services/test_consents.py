from datetime import date

import numpy as np
import pytest

from sandbox.base.catalogue import JURISDICTIONS, REGIONS
from sandbox.base.config import Withdrawal
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.privacy import policy
from services.features.consents import OPT_OUT, PURPOSE, ConsentLedger, Entry, Withdrawn, said_of
from tests.services.harness import NO_CONSENT, catalogue

NAMES = TABLES["consent_ledger"].names


def heeded(withdrawn, wanted, now):
    return [dict(zip(NAMES, row, strict=True)) for row in withdrawn.heed(wanted, now)]


def test_the_latest_word_counts_and_only_what_had_been_said_by_then():
    ledger = ConsentLedger({0: [Entry(10, True, "ui"), Entry(20, False, "gpc")]}, np.array([False]))

    assert [ledger.says(0, at).granted for at in (9, 10, 19, 20, 99)] == [False, True, True, False, False]
    assert ledger.says(0, 99)[1:] == (20, "gpc")


def test_where_nothing_was_said_the_law_of_the_home_decides():
    ledger = ConsentLedger({}, np.array([True, False]))

    assert (ledger.says(0, 99).granted, ledger.says(1, 99).granted) == (True, False)


def test_which_regions_these_are_is_what_the_laws_say():
    adults = {
        line.jurisdiction: line.basis
        for line in policy.lines(date(2026, 6, 1))
        if line.purpose == PURPOSE and line.age_band == "25-34"
    }

    assert {region for region in REGIONS if adults[JURISDICTIONS[region]] == "opt-out"} == set(OPT_OUT)


def test_a_withdrawal_is_written_down_once_and_of_those_who_had_consented():
    world = catalogue()
    withdrawn, wanted = Withdrawn(world), [Withdrawal(user_buckets=(0, 4))]
    rows = heeded(withdrawn, wanted, 500.0)

    assert {row["user_id"] for row in rows} == set(range(4)) - {NO_CONSENT}
    assert {(row["purpose"], row["state"], row["effective_ts"], row["signal"]) for row in rows} == {
        (PURPOSE, "denied", 500.0, "ui")
    }
    assert heeded(withdrawn, wanted, 600.0) == []
    assert heeded(withdrawn, [*wanted, Withdrawal(user_buckets=(2, 5))], 700.0)[0]["user_id"] == 4


def test_a_ledger_that_is_read_later_knows_of_them_and_hears_of_further_ones():
    world = catalogue()
    withdrawn = Withdrawn(world)
    heeded(withdrawn, [Withdrawal(user_buckets=(0, 1))], 500.0)
    ledger = ConsentLedger(
        {user: [Entry(10, True, "ui")] for user in range(world.n_users)}, np.zeros(world.n_users, bool)
    )
    withdrawn.attach(ledger)

    assert [ledger.says(0, at).granted for at in (499, 500)] == [True, False]
    heeded(withdrawn, [Withdrawal(user_buckets=(1, 2), signal="gpc")], 600.0)
    assert ledger.says(1, 600)[0] is False
    assert ledger.says(1, 600)[2] == "gpc"


def test_only_the_regions_that_are_named_are_meant():
    rows = heeded(Withdrawn(catalogue()), [Withdrawal(regions=["UK"])], 500.0)

    assert {(row["user_id"], row["jurisdiction"]) for row in rows} == {(1, "uk-gdpr")}


@pytest.mark.parametrize("buckets", [(5, 5), (-1, 4), (0, 101)])
def test_buckets_out_of_order_are_refused(buckets):
    with pytest.raises(ValueError, match="0 to 100"):
        Withdrawal(user_buckets=buckets)


@pytest.mark.parametrize("answer", ["soup", (), (True,), None])
def test_an_answer_that_says_nothing_is_refused(answer):
    with pytest.raises(SandboxError) as caught:
        said_of(answer)

    assert caught.value.kind.code == "WIRE-006"
