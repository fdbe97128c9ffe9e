import numpy as np
import pytest

from sandbox.base.errors import SandboxError
from services.proto.recsys.v1 import events_pb2, features_pb2
from services.skeleton.seams import Call
from tests.unit.faults.conftest import ANSWER


def call(user=1, region=0, items=(4, 5), caller="ranking"):
    request = features_pb2.GetItemsRequest(view="item_stats", item_ids=np.array(items, "<i8").tobytes())
    return Call("handle", "features", caller, "GetItems", user=user, region=region, payload=request)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "NOT_FOUND"])
def test_a_call_of_the_slice_gets_the_status_at_once_and_its_words_name_no_fault(bench, code):
    armed = bench(fault="rpc-abort-slice", params={"code": code}, scope={"regions": ["BR"]})

    with pytest.raises(SandboxError) as failed:
        armed.send(call(region=5))

    assert failed.value.kind.status == code
    assert armed.clock.now() == 1000.0
    assert not {"fault", "slice", "abort"} & set(str(failed.value).lower().split())


def test_the_rest_is_answered_as_ever(bench):
    armed = bench(fault="rpc-abort-slice", scope={"regions": ["BR"], "callee": "ranking"})

    assert armed.send(call(region=0)) == (ANSWER, 0)
    assert armed.send(call(region=-1)) == (ANSWER, 0)


def test_one_poison_item_costs_the_whole_request(bench):
    armed = bench(fault="rpc-abort-slice", params={"items": [5]})

    assert armed.send(call(items=(1, 2, 3))) == (ANSWER, 0)
    assert armed.send(call(items=())) == (ANSWER, 0)
    with pytest.raises(SandboxError):
        armed.send(call(items=(1, 2, 3, 5)))


def test_items_are_found_in_any_form_in_which_a_message_lists_them(bench):
    armed = bench(fault="rpc-abort-slice", params={"items": [5]})
    shown = events_pb2.AppendImpressionsRequest(item_ids=[3, 5])

    with pytest.raises(SandboxError):
        armed.send(Call("handle", "events", "gateway", "AppendImpressions", payload=shown))
