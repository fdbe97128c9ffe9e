"""What all faults share: scope, share, onset, seed; and that taking the wrapper off is the whole recovery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.arming import Spec, wrapper_for
from faults.base import Fault
from faults.catalogue import CATALOGUE, fault_named
from faults.onset import Onset
from faults.scope import Scope
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from services.skeleton.seams import Call, Place, Seams
from tests.unit.faults.conftest import ANSWER, Bench


def edge(user=0, session=0, position=0, **kw):
    peer = kw.pop("peer", "features")
    op = {"features": "GetItems", "model": "Score"}[peer]
    return Call("rpc", "ranking", peer, op, user, session, position, **kw)


def hits(share, users=2_000, seed=7):
    armed = Bench(fault="rpc-edge-latency", share=share, seed=seed).armed
    return [u for u in range(users) if armed._hit(edge(user=u)) == (True,)]


def test_a_share_of_a_quarter_hits_a_quarter():
    n = len(hits(0.25, users=4_000))

    assert abs(n - 1_000) < 5 * (4_000 * 0.25 * 0.75) ** 0.5


def test_a_retry_is_not_a_second_roll():
    armed = Bench(fault="rpc-edge-latency", share=0.5, seed=3).armed

    rolls = {armed._hit(edge(user=5, session=9, position=2)) for _ in range(20)}

    assert len(rolls) == 1


def test_another_seed_hits_other_users():
    assert hits(0.3, seed=1) != hits(0.3, seed=2)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_never_hits_fewer(a, b):
    low, high = sorted((a, b))
    assert set(hits(low, users=40)) <= set(hits(high, users=40))


def batch(*users, items=()):
    places = [Place(user, position=4, item=item) for user in users for item in items or (-1,)]
    return Call(
        "write", "stream", "user_seen", "apply", payload=list(range(len(places))),
        places=lambda payload: [places[i] for i in payload],
    )  # fmt: skip


class Doomed(Fault):
    name, seam = "doomed", "write"

    async def around(self, call, proceed):
        return [(element, "hit") for element in await proceed(call)]


def doomed(**spec):
    bench = Bench(fault="session-stream-lag", **spec)
    object.__setattr__(bench.armed, "fault", Doomed(None, world=bench.clock, wall=bench.clock))
    return bench


def test_each_element_of_a_batch_rolls_for_itself():
    answer, _ = doomed(share=0.5, seed=3).send(batch(*range(1_000)), None)

    assert [e[0] if isinstance(e, tuple) else e for e in answer] == list(range(1_000))
    assert 400 < sum(isinstance(e, tuple) for e in answer) < 600


def test_each_element_of_a_batch_is_in_scope_by_itself():
    answer, _ = doomed(scope={"user_buckets": [0, 50]}).send(batch(10, 60, -1, 30), None)

    assert answer == [(0, "hit"), 1, 2, (3, "hit")]


def test_items_of_one_user_are_places_of_their_own():
    answer, _ = doomed(share=0.5).send(batch(7, items=tuple(range(400))), None)

    assert 150 < sum(isinstance(e, tuple) for e in answer) < 250


def test_share_zero_is_the_healthy_run():
    assert hits(0.0) == []


def test_a_ramp_grows_from_nothing_to_all():
    onset = Onset(shape="ramp", ramp_s=100)

    assert [onset.strength(s) for s in (-1, 0, 50, 100, 900)] == [0, 0, 0.5, 1, 1]


def test_pulses_are_on_for_a_part_of_every_period():
    onset = Onset(shape="pulses", period_s=100, on_s=20)

    assert [onset.strength(s) for s in (0, 19, 20, 99, 105)] == [1, 1, 0, 0, 1]


def test_drift_halves_what_is_missing():
    onset = Onset(shape="drift", half_life_s=10)

    assert [onset.strength(s) for s in (0, 10, 20)] == [0, 0.5, 0.75]


SCOPES = st.builds(
    Scope,
    callee=st.sampled_from([None, "features", "model"]),
    regions=st.sets(st.integers(0, 6), max_size=3).map(tuple),
    paths=st.sets(st.sampled_from("ab"), max_size=2).map(tuple),
)


@given(SCOPES, st.integers(0, 6), st.sampled_from("ab"), st.sampled_from(["features", "model"]))
def test_a_wider_scope_never_hits_fewer(scope, region, path, callee):
    call = edge(region=region, path=path, peer=callee)
    wider = scope.model_copy(update={"regions": ()})

    assert not scope.holds(call) or wider.holds(call)


def test_user_buckets_leave_unknown_users_alone():
    scope = Scope(user_buckets=(0, 50))

    assert scope.holds(edge(user=149))
    assert not scope.holds(edge(user=150))
    assert not scope.holds(edge(user=-1))


def test_taking_the_wrapper_off_is_the_whole_recovery():
    bench = Bench(fault="rpc-edge-latency", params={"delay_ms": 100})
    assert bench.send(edge())[1] == pytest.approx(0.1)

    bench.seam.take_off(bench.armed)

    assert not bench.seam
    assert bench.send(edge()) == (ANSWER, 0.0)


def test_a_fault_that_is_not_due_yet_waits():
    bench = Bench(fault="rpc-edge-latency", since=1_060.0)
    assert bench.send(edge())[1] == 0.0

    bench.clock._now = 1_060.0

    assert bench.send(edge())[1] == pytest.approx(0.04)


def test_two_wrappers_on_one_seam_both_act():
    bench = Bench(fault="rpc-edge-latency", params={"delay_ms": 100})
    bench.seam.put(bench.armed)

    assert bench.send(edge())[1] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("spec", "code", "where"),
    [
        ({"fault": "rpc-edge-latencies"}, "FLT-001", "fault name"),
        ({"fault": "rpc-edge-latency", "params": {"delay_ms": 4000}}, "FLT-002", "delay_ms"),
        ({"fault": "rpc-edge-latency", "params": {"delays": 4}}, "FLT-002", "delays"),
        ({"fault": "rpc-edge-latency", "scope": {"segments": ["rare"]}}, "FLT-002", "segments"),
        ({"fault": "rpc-edge-latency", "share": 1.5}, "FLT-002", "share"),
        ({"fault": "rpc-edge-latency", "scope": {"color": "red"}}, "FLT-002", "color"),
        ({"fault": "session-stream-lag"}, "FLT-003", "ranking"),
        ({"fault": "sensitivity-overblock"}, "FLT-003", "ranking"),
        ({"fault": "rpc-edge-latency", "scope": {"callee": "rules"}}, "FLT-002", "scope.callee"),
        ({"fault": "rpc-edge-latency", "scope": {"ops": ["Rank"]}}, "FLT-002", "scope.ops.0"),
        ({"fault": "rpc-edge-latency", "scope": {"items": [3]}}, "FLT-002", "scope.items"),
    ],
)
def test_a_bad_specification_is_refused_by_name(spec, code, where):
    clock = VirtualClock()

    with pytest.raises(SandboxError) as caught:
        wrapper_for(spec, Seams(clock, clock), "ranking")

    assert caught.value.kind.code == code
    assert where in caught.value.where


@pytest.mark.parametrize("fault", CATALOGUE.values(), ids=list(CATALOGUE))
def test_every_fault_says_how_it_shows(fault: type[Fault]):
    described = fault.describe()

    assert all(described[k] for k in ("name", "layer", "seam", "summary", "moves", "stays", "repairs"))
    assert all(knob["description"] for knob in described["knobs"].values())
    assert fault_named(fault.name) is fault


def test_defaults_of_every_fault_are_within_its_own_ranges():
    for name in CATALOGUE:
        Spec(fault=name).checked()
