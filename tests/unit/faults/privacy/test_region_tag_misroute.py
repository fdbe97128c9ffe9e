import pytest
from pydantic import ValidationError

from faults.catalogue import fault_named
from sandbox.base.catalogue import REGIONS
from services.gateway.region import tagged

EU, US, BR = (REGIONS.index(name) for name in ("EU", "US", "BR"))


def region(armed, home, user=7):
    return tagged(armed.seam, user, 1, 1, home, len(REGIONS))


def test_requests_from_anywhere_are_taken_to_come_from_the_default_region(bench):
    armed = bench(fault="region-tag-misroute")

    assert [region(armed, home) for home in (EU, US, BR)] == [US, US, US]


def test_homes_out_of_scope_and_the_share_that_is_not_hit_keep_their_own(bench):
    armed = bench(fault="region-tag-misroute", params={"default_region": "BR"}, scope={"regions": ["EU"]}, share=0.5)

    hit = sum(region(armed, EU, user) == BR for user in range(400))
    assert 150 < hit < 250  # 5 standard errors
    assert {region(armed, US, user) for user in range(100)} == {US}


def test_unwrapped_the_next_request_is_from_home(bench):
    armed = bench(fault="region-tag-misroute")
    armed.seam.take_off(armed.armed)

    assert region(armed, EU) == EU


def test_a_region_that_there_is_not_is_refused():
    with pytest.raises(ValidationError):
        fault_named("region-tag-misroute").Params(default_region="NO")
