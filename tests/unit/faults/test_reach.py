"""What can hold where a fault is armed, and what cannot, is one table, and the table is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from faults import reach
from faults.base import Fault
from faults.catalogue import CATALOGUE, KNOWN, check
from faults.onset import Onset
from faults.reference import guide, points
from faults.scope import Scope
from sandbox.base.catalogue import REGIONS
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.runtime.operate.actions import EDGES
from services.proto.recsys.v1 import (
    events_pb2_grpc,
    features_pb2_grpc,
    model_pb2_grpc,
    ranking_pb2_grpc,
    retrieval_pb2_grpc,
    rules_pb2_grpc,
)
from services.skeleton.points import POINTS, SERVED, STAGES
from services.skeleton.seams import Seams

SERVICERS = {
    "features": features_pb2_grpc.FeaturesServicer,
    "model": model_pb2_grpc.ModelServicer,
    "retrieval": retrieval_pb2_grpc.RetrievalServicer,
    "ranking": ranking_pb2_grpc.RankingServicer,
    "rules": rules_pb2_grpc.RulesServicer,
    "events": events_pb2_grpc.EventsServicer,
}


def refused(fault: str, target: str, *, scope=None, share=1.0, onset=None, until_s=None):
    found = reach.unreachable(CATALOGUE[fault], target, Scope(**scope or {}), share, Onset(**onset or {}), until_s)
    return [one.part for one in found]


def test_every_seam_has_its_row_and_every_fault_its_place():
    clock = VirtualClock()
    assert {name for name in vars(Seams(clock, clock)) if name in POINTS} == set(SERVED)
    for fault in CATALOGUE.values():
        assert (fault.seam in STAGES) == (not fault.services)
        assert reach.place(fault)


def test_edges_are_those_of_the_configuration_and_their_methods_exist():
    assert {caller: tuple(callees) for caller, callees in POINTS["rpc"].lies.items()} == EDGES
    for callees in POINTS["rpc"].lies.values():
        for callee, ops in callees.items():
            assert all(hasattr(SERVICERS[callee], op) for op in ops)


@pytest.mark.parametrize(
    ("target", "scope", "part"),
    [
        ("gateway->model", {}, "target"),
        ("gateway->nothing", {}, "target"),
        ("rules", {}, "target"),
        ("features->gateway", {}, "target"),
        ("gateway->features", {"ops": ["NoSuchMethod"]}, "scope.ops.0"),
        ("gateway->features", {"ops": ["GetUser", "GetItems"]}, "scope.ops.1"),
        ("gateway", {"ops": ["Score"]}, "scope.ops.0"),
        ("gateway", {"callee": "model"}, "scope.callee"),
    ],
)
def test_an_edge_or_a_method_that_is_not_there_cannot_hold(target, scope, part):
    assert refused("rpc-edge-latency", target, scope=scope) == [part]


def test_an_edge_can_be_asked_for_whatever_a_call_carries():
    everything = {"ops": ["GetItems"], "regions": ["EU", 3], "paths": ["b"], "user_buckets": [0, 25]}

    assert refused("rpc-edge-latency", "ranking->features", scope=everything, share=0.2,
                   onset={"shape": "drift"}, until_s=9.0) == []  # fmt: skip


def test_crowds_know_nothing_of_users_and_writes_nothing_of_paths():
    scope = {"regions": ["EU"], "paths": ["a"], "user_buckets": [0, 5]}

    assert refused("session-stream-lag", "stream", scope=scope) == ["scope.paths"]
    assert refused("session-stream-lag", "stream", scope={"items": [3]}) == ["scope.items"]
    assert refused("flash-crowd", "load", scope=scope) == ["scope.regions", "scope.paths", "scope.user_buckets"]
    assert refused("session-stream-lag", "stream->user_seen") == []
    assert refused("session-stream-lag", "stream->item_stats") == ["target"]


@pytest.mark.parametrize("fault", [f.name for f in CATALOGUE.values() if f.seam in STAGES])
def test_a_release_happens_once_for_everybody(fault):
    assert refused(fault, "rules", share=0.5) == ["share"]
    assert refused(fault, "rules", onset={"shape": "ramp"}) == ["onset.shape"]
    assert refused(fault, "rules", until_s=4_000.0) == ["until_s"]


def test_a_region_is_named_or_numbered():
    assert Scope(regions=["EU", "AU", 2]).regions == (0, len(REGIONS) - 1, 2)
    for unknown in ("eu", "Mars", 7, -1):
        with pytest.raises(ValidationError, match="none of EU, UK"):
            Scope(regions=[unknown])


@pytest.mark.parametrize("buckets", [[5, 5], [9, 3], [-1, 5], [0, 101]])
def test_a_range_of_buckets_holds_somebody(buckets):
    with pytest.raises(ValidationError, match="user_buckets"):
        Scope(user_buckets=buckets)


def test_pulses_have_pauses():
    with pytest.raises(ValidationError, match="on_s"):
        Onset(shape="pulses", period_s=60, on_s=60)


def test_every_look_alike_of_a_fault_is_a_mechanism_that_is_known():
    assert {name for f in CATALOGUE.values() for name in f.look_alikes} <= set(KNOWN)
    assert len(set(KNOWN)) == len(KNOWN)


def made(**attributes):
    return type("Made", (Fault,), {"name": "made", "services": ("gateway",), **attributes})


@pytest.mark.parametrize(
    ("fault", "where", "expected"),
    [
        (made(seam="network"), "seam", "rpc"),
        (made(seam="index"), "services", "retrieval"),
        (made(seam="release"), "services", "stage"),
        (made(seam="rpc", services=()), "services", "gateway"),
        (made(seam="rpc", around_sync=lambda self, call, proceed: None), "made", "around"),
        (made(seam="log", around=lambda self, call, proceed: None), "made", "around_sync"),
    ],
)
def test_a_class_that_does_not_fit_its_point_is_refused_when_it_is_loaded(fault, where, expected):
    with pytest.raises(SandboxError, match="FLT-003") as caught:
        check(fault)

    assert where in caught.value.where
    assert expected in caught.value.expected


def test_the_guides_table_has_the_names_of_every_point():
    table = points()

    for point in POINTS.values():
        assert f"`{point.name}`" in table
        for peers in point.lies.values() if point.name != "log" else ():
            assert all(f"`{op}`" in table for ops in peers.values() for op in ops)
    page = (Path(__file__).parents[3] / "docs" / "writing-a-fault.md").read_text()
    assert guide(page) == page
    assert guide(page.replace("| `rpc`, awaited |", "| `rpc` |")) == page
