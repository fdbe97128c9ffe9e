import pytest

from faults.arming import Spec, params_of
from faults.catalogue import fault_named
from sandbox.base.config import Rule
from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call
from tests.unit.services.test_rules import ADULT, MINOR, UNKNOWN, policy_of, slate_of, small_catalogue

LISTED = [{"id": "seen"}, {"id": "maturity", "params": {"unknown_age_years": 13}}, {"id": "sensitivity"}]


def release_of(listed):
    return Release("rules", "rules", "ru-2", "rules-team", patches={"rules": {"rules": listed}})


def rolled_out(bench, listed=LISTED, callee="rules", **params):
    armed = bench(fault="minor-protection-bypass", params=params, scope={"callee": callee})
    call = Call("release", "rules", "rules", "rollout", payload=release_of(listed))
    return armed.pass_on(call).patches["rules"]["rules"]


def shown_to(user, listed):
    """Rows of a catalogue whose items are for 0, 13, 16 and 18 years, the last also unfit for minors."""
    catalogue = small_catalogue(4)
    catalogue.item_maturity[:] = [0, 13, 16, 18]
    rules = [Rule.model_validate(rule) for rule in listed]
    return sorted(slate_of(policy_of(catalogue, rules=rules), user, k=4).rows)


def test_an_unknown_age_is_shown_what_adults_are_shown(bench):
    assert shown_to(UNKNOWN, LISTED) == [0, 1]
    assert shown_to(UNKNOWN, rolled_out(bench)) == shown_to(ADULT, LISTED) == [0, 1, 2, 3]


def test_known_ages_are_served_as_before(bench):
    for user in (MINOR, ADULT):
        assert shown_to(user, rolled_out(bench)) == shown_to(user, LISTED)


def test_the_other_rules_and_the_release_itself_stay(bench):
    rules = rolled_out(bench, assumed_years=21)

    assert [rule for rule in rules if rule["id"] != "maturity"] == [LISTED[0], LISTED[2]]
    assert LISTED[1]["params"] == {"unknown_age_years": 13}


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, callee="banner") == LISTED


@pytest.mark.parametrize("listed", [[{"id": "seen"}], [{"id": "maturity", "enabled": False}]])
def test_without_a_maturity_rule_it_would_do_nothing_and_says_so(listed):
    cls = fault_named("minor-protection-bypass")
    params = params_of(Spec(fault=cls.name))

    assert "maturity" in cls.idle(params, release_of(listed).patches)
    assert cls.idle(params, release_of(LISTED).patches) is None
