import pytest

from sandbox.base.errors import SandboxError
from services.skeleton.seams import Call


def judged(bench, said, **spec):
    armed = bench(fault="bad-model-promoted", **spec)
    call = Call("gate", "pipeline", "rk-2", "judge", payload=said, attributes={"difference": -0.1})
    return armed, call, armed.pass_on(call)


@pytest.mark.parametrize("said", ["hold", "fail", "pass"])
def test_whatever_the_gate_says_counts_as_a_pass(bench, said):
    assert judged(bench, said)[2] == "pass"


def test_a_gate_that_takes_only_a_hold_for_a_pass_still_stops_what_fails(bench):
    params = {"passes": ["hold"]}

    assert [judged(bench, said, params=params)[2] for said in ("hold", "fail", "pass")] == ["pass", "fail", "pass"]


def test_out_of_scope_a_fail_is_a_fail(bench):
    assert judged(bench, "fail", scope={"callee": "rk-9"})[2] == "fail"


def test_once_it_is_taken_off_the_gate_blocks(bench):
    armed, call, _ = judged(bench, "fail")
    armed.seam.take_off(armed.armed)

    assert armed.pass_on(call) == "fail"


def test_a_gate_that_passes_nothing_more_is_refused(bench):
    with pytest.raises(SandboxError) as error:
        judged(bench, "fail", params={"passes": []})
    assert error.value.kind.code == "FLT-002"
