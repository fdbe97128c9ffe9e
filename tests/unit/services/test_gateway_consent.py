from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.config import GatewayConfig
from services.gateway.consent import ASSUMED, LEDGER, Decisions

OPEN, CLOSED = (GatewayConfig(consent="ask", consent_keep_s=600, consent_fail=way) for way in ("open", "closed"))


def test_silence_of_the_ledger_is_a_no_unless_somebody_says_otherwise():
    assert Decisions().decide(7, None, 100.0, CLOSED) == (False, ASSUMED, 100.0)
    assert Decisions().decide(7, None, 100.0, OPEN) == (True, ASSUMED, 100.0)


def test_an_answer_is_an_answer_whatever_silence_would_be():
    assert Decisions().decide(7, False, 100.0, OPEN) == (False, LEDGER, 100.0)


def test_what_was_assumed_is_kept_as_an_answer_is_and_runs_out_as_one_does():
    decisions = Decisions()
    assert decisions.kept(7, 100.0, OPEN) is None
    made = decisions.decide(7, None, 100.0, OPEN)

    assert decisions.kept(7, 699.0, OPEN) == made
    assert decisions.kept(7, 700.0, OPEN) is None
    assert decisions.kept(8, 101.0, OPEN) is None


def test_other_settings_forget_all_that_was_kept():
    decisions = Decisions()
    decisions.kept(7, 100.0, OPEN)
    decisions.decide(7, None, 100.0, OPEN)

    assert decisions.kept(7, 101.0, CLOSED) is None
    assert decisions.kept(7, 101.0, OPEN) is None, "and does not come back with the old ones"


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.floats(0, 50))))
def test_where_nothing_is_kept_each_request_goes_by_the_ledger_as_it_is(asked):
    decisions, config, now = Decisions(), GatewayConfig(consent="ask"), 0.0
    for user, granted, later_s in asked:
        now += later_s
        assert decisions.kept(user, now, config) is None
        assert decisions.decide(user, granted, now, config).granted == granted
