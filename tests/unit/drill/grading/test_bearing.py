"""A query is evidence only for components in whose places it looks."""

from __future__ import annotations

import pytest

from sandbox.drill.grading.bearing import bears_on, bears_on_any, shown_in
from sandbox.drill.scenario import library, taxonomy

PACK = library.load_all()
OWN_DEED = "SELECT count(*) AS n FROM changes"


@pytest.mark.parametrize("name", [n for n, s in PACK.items() if s.truth.incident])
def test_the_evidence_of_every_scenario_bears_on_its_cause(name):
    scenario = PACK[name]
    components = [cause.component for cause in scenario.truth.causes]

    silent = [e.id for e in scenario.evidence if not bears_on_any(e.sql, components)]

    assert silent == []


@pytest.mark.parametrize("component", sorted(set(taxonomy.COMPONENTS) - {"none"}))
def test_counting_what_one_did_oneself_bears_on_nothing(component):
    assert not bears_on(OWN_DEED, component)


@pytest.mark.parametrize("component", sorted(set(taxonomy.COMPONENTS) - {"none"}))
def test_every_component_shows_somewhere(component):
    somewhere = " ".join(["select", *shown_in(component), "from spans where", *component.split("->")])

    assert bears_on(somewhere, component)


def test_an_edge_is_looked_at_in_spans_that_name_its_ends():
    spans = "SELECT dur_ms FROM spans WHERE service = '{}' AND peer = '{}'"

    assert bears_on(spans.format("gateway", "features"), "gateway->features")
    assert bears_on("SELECT avg(latency_ms) FROM requests", "gateway->features")
    assert not bears_on("SELECT avg(latency_ms) FROM requests", "ranking->features")
    assert bears_on("SELECT caller, callee, p50_ms FROM rpc_edges", "ranking->model")


def test_a_star_looks_at_every_column():
    assert bears_on("SELECT * FROM requests", "stream")
    assert not bears_on("SELECT count(*) FROM requests", "stream")
