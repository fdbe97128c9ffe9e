"""The arithmetic of the benchmarks."""

from __future__ import annotations

import json
import math

import pytest

from sandbox.bench import stats
from sandbox.bench.echo import request_of
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report
from sandbox.bench.turns import Interval


def test_a_ratio_of_pairs_is_not_moved_by_what_disturbs_both():
    below = [1.0, 5.0, 2.0, 40.0, 3.0]
    above = [1.1 * value for value in below]

    ratio, noise = stats.paired_ratio(above, below)

    assert ratio == pytest.approx(1.1)
    assert noise == pytest.approx(0.0)


def test_the_noise_of_a_ratio_covers_the_middle_of_the_pairs():
    ratio, noise = stats.paired_ratio([float(i) for i in range(1, 101)], [50.5] * 100)

    assert ratio == pytest.approx(1.0)
    assert noise == pytest.approx(20 / 50.5 / 2, rel=0.05)  # ranks 40 to 60


def test_what_runs_anyway_is_not_charged_to_the_calls():
    assert stats.per_call_ms(busy_s=3.0, idle_share=0.1, wall_s=10.0, n=1_000) == pytest.approx(2.0)
    assert stats.per_call_ms(busy_s=0.5, idle_share=0.1, wall_s=10.0, n=1_000) == 0.0


def test_no_samples_are_no_number():
    assert math.isnan(stats.median([]))
    assert math.isnan(stats.paired_ratio([], [])[0])


def test_a_report_is_one_json_document_without_false_precision():
    report = Report({"cpu_ms": 12.345678}, {"cpu_vs_floor": 1.23456}, conditions(world="tiny"))

    document = json.loads(json.dumps(report.document()))

    assert document["figures"] == {"cpu_ms": 12.35}
    assert document["ratios"] == {"cpu_vs_floor": 1.235}
    assert document["conditions"]["world"] == "tiny"
    assert document["conditions"]["cpus"] >= 1


def test_a_ratio_is_told_with_its_interval_where_it_has_one():
    report = Report()
    report.hold("cpu_vs_floor", Interval(1.23456, 1.11111, 1.33333))
    report.hold("of_three_turns", Interval(1.5, None, None))

    document = report.document()

    assert document["ratios"] == {"cpu_vs_floor": 1.235, "of_three_turns": 1.5}
    assert document["intervals"] == {"cpu_vs_floor": {"low": 1.111, "high": 1.333}}


def test_an_echo_request_has_its_size_and_says_the_answers():
    request = request_of(100, 2_000)

    assert len(request) == 100
    assert int.from_bytes(request[:4], "little") == 2_000
    assert len(request_of(0, 5)) == 4  # room for the number itself
