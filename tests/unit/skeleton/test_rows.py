"""A row of telemetry is about whom its columns name, and has dice of its own."""

from __future__ import annotations

import pytest

from sandbox.base.catalogue import REGIONS
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from services.skeleton.rows import logged, place_of
from services.skeleton.seams import Seam


def row(table, **values):
    return tuple(values.get(name) for name in TABLES[table].names)


def test_a_request_names_its_user_region_segment_and_surface():
    place = place_of(
        "requests", row("requests", user_id=7, region="UK", segment="heavy", surface="home", request_id="r")
    )

    assert (place.user, place.region) == (7, REGIONS.index("UK"))
    assert (place.segment, place.surface, place.item) == ("heavy", "home", -1)


def test_a_row_that_names_nobody_is_about_nobody():
    place = place_of("rpc_edges", row("rpc_edges", ts=1.0, caller="gateway"))

    assert (place.user, place.item, place.region, place.segment) == (-1, -1, -1, "")


def test_items_of_one_slate_and_spans_of_one_request_roll_apart():
    slate = {place_of("impressions", row("impressions", request_id="r", user_id=1, item_id=i)) for i in range(10)}
    spans = {place_of("spans", row("spans", trace_id="r", span_id=f"{i}")) for i in range(10)}

    assert len(slate) == len(spans) == 10


def test_a_row_of_a_request_rolls_the_same_however_long_it_took():
    took = [place_of("requests", row("requests", request_id="r", user_id=1, ts=ts, latency_ms=ts)) for ts in (1.0, 2.0)]

    assert took[0] == took[1]


def test_samples_roll_anew_each_time():
    sampled = {place_of("procs", row("procs", ts=float(ts), process="model")) for ts in range(10)}

    assert len(sampled) == 10


class Cut:
    def around_sync(self, call, proceed):
        return proceed(call)[:-1]


def test_a_row_of_another_width_is_refused():
    seam = Seam("log")
    seam.put(Cut())

    with pytest.raises(SandboxError, match="WIRE-006"):
        logged(seam, "gateway", "requests", row("requests", user_id=1))
