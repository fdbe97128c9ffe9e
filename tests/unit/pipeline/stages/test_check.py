"""Checks of data: each finds what it is for, passes on what is well, and none passes on nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from sandbox.base.streams import stream
from sandbox.pipeline.stages import check
from sandbox.pipeline.stages.book import Found, Run
from sandbox.pipeline.stages.check import Before, Check, judge_drift
from sandbox.pipeline.stages.plan import STAGES


def run_of(**more: object) -> Run:
    document = {
        "run": "p-2",
        "world": "w",
        "until": "ingest",
        "config": {},
        "as_of": 100.0,
        "bypass": {},
        "started": 0.0,
    }
    return Run.model_validate(document | more)


def found(tmp_path: Path, values: list[float], before: list[float] | None = None, **given: object) -> Found:
    """What a check over one column `x` of a dataset `t` finds."""
    pq.write_table(pa.table({"x": pa.array(values, pa.float64())}), tmp_path / "t.parquet")
    pq.write_table(pa.table({"x": pa.array(before or [], pa.float64())}), tmp_path / "b.parquet")
    last = Before(run_of(run="p-1"), {"t": tmp_path / "b.parquet"}) if before is not None else None
    one = Check.model_validate({"name": "c", "stage": "ingest", "kind": "range", "why": "x", **given})
    return check.carry_out([one], {"t": tmp_path / "t.parquet"}, last, run_of())[0]


def counts(sample: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1).astype(float)


def drawn(n: int, shift: float, purpose: str, seed: int = 1) -> np.ndarray:
    return stream(seed, purpose).normal(shift, 1.0, n)


def tenths(sample: np.ndarray) -> np.ndarray:
    return np.quantile(sample, np.arange(1, 10) / 10)


def test_nothing_passes_on_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, [], sql="SELECT avg(x) FROM t", at_most=5).verdict == "fail"
    assert found(tmp_path, [], sql="SELECT max(x) FROM t WHERE x > 1", at_least=0).verdict == "fail"
    assert found(tmp_path, [], kind="volume", sql="SELECT count(*) FROM t", at_least=1).verdict == "fail"


def test_a_number_within_its_limits_passes_and_one_outside_says_so(tmp_path: Path) -> None:
    assert found(tmp_path, [1.0, 3.0], sql="SELECT avg(x) FROM t", at_least=1, at_most=2).verdict == "pass"

    above = found(tmp_path, [1.0, 5.0], sql="SELECT avg(x) FROM t", at_least=1, at_most=2)

    assert (above.verdict, above.value) == ("fail", 3.0)
    assert above.reason == "x: 3, at least 1 and at most 2 expected"


def test_a_number_that_is_none_fails(tmp_path: Path) -> None:
    assert found(tmp_path, [1.0, float("nan")], sql="SELECT sum(x) FROM t", at_most=9).verdict == "fail"


def test_without_a_run_before_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    one = found(tmp_path, [1.0], sql="SELECT count(*) FROM before_t", at_most=0, compares=True)

    assert (one.verdict, one.value) == ("not estimable", None)


def test_drift_needs_rows_on_both_sides(tmp_path: Path) -> None:
    sql = "SELECT 1, (SELECT count(*) FROM before_t), (SELECT count(*) FROM t)"

    assert found(tmp_path, [1.0], [], kind="drift", sql=sql, at_most=0.1, compares=True).verdict == "not estimable"


def test_another_mean_is_drift() -> None:
    before, now = drawn(2_000, 0, "before"), drawn(2_000, 10, "now")
    edges = np.quantile(before, [0.2, 0.4, 0.6, 0.8])

    size, p, verdict = judge_drift(counts(before, edges), counts(now, edges), 0.1, 0.001)

    assert len(counts(now, edges)) == 5  # asked for five bins
    assert verdict == "fail"
    assert size > 1
    assert p < 1e-100


def test_a_hundred_rows_of_the_same_are_no_drift_but_in_one_run_of_twenty() -> None:
    def alarms(seed: int) -> bool:
        before, now = drawn(100, 0, "before", seed), drawn(100, 0, "now", seed)
        edges = tenths(before)
        return judge_drift(counts(before, edges), counts(now, edges), 0.1, 0.001)[2] == "fail"

    assert sum(alarms(seed) for seed in range(200)) <= 10


def test_a_million_rows_show_a_difference_that_does_not_matter() -> None:
    before, now = drawn(1_000_000, 0, "before"), drawn(1_000_000, 0.01, "now")
    edges = tenths(before)

    size, p, verdict = judge_drift(counts(before, edges), counts(now, edges), 0.1, 0.001)

    assert p < 0.001
    assert size < 0.001
    assert verdict == "no action"


def test_psi_of_the_case_that_was_worked_out() -> None:
    size, _, _ = judge_drift(np.full(4, 250.0), np.array([100.0, 200.0, 300.0, 400.0]), 0.1, 0.001)

    assert size == pytest.approx(0.228217, abs=1e-6)


def test_every_standard_check_is_of_a_stage_that_there_is_and_named_once() -> None:
    checks = check.standard()

    assert {one.stage for one in checks} <= {stage.name for stage in STAGES}
    assert len({one.name for one in checks}) == len(checks)
    kinds = {
        "schema",
        "range",
        "nulls",
        "volume",
        "freshness",
        "duplicates",
        "label_rate",
        "join_rate",
        "drift",
        "same_input",
    }
    assert kinds <= {one.kind for one in checks}


@pytest.mark.parametrize("given", [{}, {"at_least": 2, "at_most": 1}, {"at_most": 1, "colour": "red"}])
def test_a_check_without_limits_or_with_words_that_mean_nothing_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Check.model_validate({"name": "c", "stage": "ingest", "kind": "range", "sql": "SELECT 1", "why": "x", **given})
