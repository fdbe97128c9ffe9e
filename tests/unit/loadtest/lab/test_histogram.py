"""HDR histograms by the reference cases of the family (Java, C and Python share them), merged and sent.

Source: the tests of HdrHistogram_py, which take them from the Java ones.
"""

from __future__ import annotations

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab.histogram import DIGITS, HIGHEST_US, PERCENTILES, Histogram, by_kind, merged

latencies = st.lists(st.floats(0, 100_000), max_size=50)


def test_ten_thousand_short_ones_and_one_of_100_s():
    found = Histogram.of(np.array([1.0] * 10_000 + [100_000.0]))

    assert found.count == 10_001
    assert found.percentiles_ms([30, 99, 99.99, 99.999]) == {"30": 1.0, "99": 1.0, "99.99": 1.0, "99.999": 100_007.935}


def test_the_same_with_what_a_load_of_one_every_10_ms_would_have_met():
    found = Histogram()
    found.add_corrected(1.0, 10.0, 10_000)
    found.add_corrected(100_000.0, 10.0)
    told = found.percentiles_ms([50, 75, 90, 99, 99.999])

    assert found.count == 20_000
    assert told["50"] == 1.0
    for percentile, ms in (("75", 50_000), ("90", 80_000), ("99", 98_000), ("99.999", 100_000)):
        assert told[percentile] == pytest.approx(ms, rel=1e-3)


def test_the_range_of_ours_has_the_buckets_of_the_reference():
    reference = HdrHistogram(1, HIGHEST_US, DIGITS)

    assert (reference.bucket_count, reference.counts_len) == (22, 23_552)


def test_mean_and_deviation_are_those_of_the_middles_of_buckets():
    found = HdrHistogram(1, HIGHEST_US, DIGITS)
    for value in (1000, 1000, 3000, 3000):
        found.record_value(value)

    assert (found.get_mean_value(), found.get_stddev()) == (2000.5, 1000.5)
    assert Histogram.of([1.0, 1.0, 3.0, 3.0]).mean_ms == 2.0005


def test_a_range_that_begins_high_tells_percentiles_in_its_own_units():
    found = HdrHistogram(20_000_000, 100_000_000, 5)
    for value in (100_000_000, 20_000_000, 30_000_000):
        found.record_value(value)
    at = found.get_value_at_percentile

    assert found.values_are_equivalent(at(50), 20_000_000)
    assert found.values_are_equivalent(at(83.33), 30_000_000)
    assert found.values_are_equivalent(at(83.34), 100_000_000)


@settings(max_examples=20, deadline=None)
@given(parts=st.lists(latencies, min_size=1, max_size=4))
def test_workers_merged_are_what_one_would_have_counted(parts):
    whole = Histogram.of([v for part in parts for v in part])
    together = merged({"all": Histogram.decode(Histogram.of(part).encode())} for part in parts)["all"]

    assert together.count == whole.count
    assert together.percentiles_ms() == whole.percentiles_ms()


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.floats(0.001, 100_000), min_size=1, max_size=60), percentile=st.sampled_from(PERCENTILES))
def test_a_percentile_is_within_a_thousandth_of_one_of_the_latencies(values, percentile):
    told = Histogram.of(values).percentiles_ms([percentile])[f"{percentile:g}"]

    assert min(abs(told - v) / v for v in (max(round(v * 1000), 1) / 1000 for v in values)) <= 1e-3


def test_kinds_are_kept_apart_and_nothing_beyond_an_hour_is_lost():
    kinds = by_kind(np.array(["ok", "ok", "late"]), np.array([1.0, 2.0, 1e10]))

    assert {kind: h.count for kind, h in kinds.items()} == {"ok": 2, "late": 1}
    assert kinds["late"].percentiles_ms([50])["50"] == pytest.approx(3_600_000, rel=1e-3)


def test_no_latencies_have_no_percentiles_and_what_is_none_is_refused():
    assert Histogram.of([]).percentiles_ms() is None
    assert Histogram.of([float("nan")]).count == 0
    with pytest.raises(ValueError, match="latency"):
        Histogram.of([-1.0])
    with pytest.raises(ValueError, match="no histogram"):
        Histogram.decode("HISTFAAAnonsense")
