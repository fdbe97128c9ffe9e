"""Checks of data, as data: a name, one SQL that finds a number, and the limits it must keep.

They are read from checks.yaml. The SQL sees the datasets made so far under their names, those of the last run that
was done as `before_NAME`, and $as_of (world seconds). A number that could not be found is a failure: nothing
passes on nothing. Drift compares two columns of counts, and gives two numbers: how large, and how likely by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from pydantic import BaseModel, Field, model_validator
from ruamel.yaml import YAML
from scipy import stats

from sandbox.pipeline.stages.book import Found, Kind, Run, Verdict
from sandbox.pipeline.stages.database import connect


class Check(BaseModel, extra="forbid", frozen=True):
    """sql: one row with one number; of drift, rows of (bin, n before, n now). at_least, at_most: what it must keep;
    of drift at_most is the size (PSI) from which a difference matters. compares: needs a run before this one."""

    name: str = Field(pattern=r"[a-z0-9_]+")
    stage: str
    kind: Kind
    sql: str
    at_least: float | None = None
    at_most: float | None = None
    p_at_most: float = Field(0.001, gt=0, lt=1)  # of drift: rarer than this by chance is a difference
    blocking: bool = True
    compares: bool = False
    about: str | None = None  # dataset of what may not have happened yet: without rows there is nothing to measure
    why: str

    @model_validator(mode="after")
    def _has_a_limit(self) -> Check:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"check {self.name} has no limit")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"check {self.name}: at_least is above at_most")
        return self


@dataclass(frozen=True)
class Before:
    """The last run that was done, and the files of its datasets."""

    run: Run
    datasets: Mapping[str, Path]


def read_checks(path: Path) -> tuple[Check, ...]:
    """Raises pydantic's ValidationError: the file is a part of the program."""
    return tuple(Check.model_validate(one) for one in YAML(typ="safe").load(path.read_text()))


@cache
def standard() -> tuple[Check, ...]:
    """Those of checks.yaml beside this module."""
    return read_checks(Path(__file__).with_name("checks.yaml"))


def carry_out(checks: Sequence[Check], datasets: Mapping[str, Path], before: Before | None, run: Run) -> list[Found]:
    """What each found, in their order."""
    with connect() as db:
        for prefix, files in (("", datasets), ("before_", before.datasets if before else {})):
            for name, path in ((n, f) for n, f in files.items() if f.suffix == ".parquet"):
                db.execute(f"CREATE VIEW {prefix}{name} AS SELECT * FROM read_parquet('{path}')")
        _create_inputs(db, "inputs", run)
        if before:
            _create_inputs(db, "before_inputs", before.run)
        return [_one(db, one, before, run) for one in checks]


def judge_drift(
    before: np.ndarray, now: np.ndarray, size_at_most: float, p_at_most: float
) -> tuple[float, float, Verdict]:
    """(PSI, p of the chi-square test that both come from one distribution, verdict) of counts by bin.

    Large and unlikely: fail. Unlikely and small: "no action", as with many rows any difference is unlikely. Neither
    moves with the number of rows alone. Source of PSI: see docs/pipeline.md.
    """
    share = np.maximum(before / before.sum(), 1e-6), np.maximum(now / now.sum(), 1e-6)
    psi = float(((share[1] - share[0]) * np.log(share[1] / share[0])).sum())
    counts = np.stack([before, now])[:, (before + now) > 0]
    p = float(stats.chi2_contingency(counts, correction=False).pvalue) if counts.shape[1] > 1 else 1.0
    if p >= p_at_most:
        return psi, p, "pass"
    return psi, p, "fail" if psi > size_at_most else "no action"


def _one(db: duckdb.DuckDBPyConnection, one: Check, before: Before | None, run: Run) -> Found:
    common: dict[str, Any] = {
        "check": one.name, "stage": one.stage, "kind": one.kind, "at_least": one.at_least, "at_most": one.at_most,
        "blocking": one.blocking,
    }  # fmt: skip
    if one.compares and before is None:
        said = "there is no run before this one to compare with"
        return Found(**common, value=None, verdict="not estimable", bypassed=False, reason=said)
    if one.about and db.execute(f"SELECT 1 FROM {one.about} LIMIT 1").fetchone() is None:
        said = f"there is nothing in {one.about} yet"
        return Found(**common, value=None, verdict="not estimable", bypassed=False, reason=said)
    try:
        rows = db.execute(one.sql, {"as_of": run.as_of} if "$as_of" in one.sql else None).fetchall()
    except duckdb.CatalogException:
        if not one.compares:
            raise
        said = "the run before this one kept no such dataset"
        return Found(**common, value=None, verdict="not estimable", bypassed=False, reason=said)
    if one.kind == "drift":
        return _drift(one, rows, common, run)
    value = None if not rows or rows[0][0] is None else float(rows[0][0])
    failed = value is None or not np.isfinite(value) or not _within(one, value)
    verdict: Verdict = "fail" if failed else "pass"
    return Found(
        **common, value=value, verdict=verdict, bypassed=failed and one.name in run.bypass, reason=_said(one, value)
    )


def _drift(one: Check, rows: list[tuple[Any, ...]], common: dict[str, Any], run: Run) -> Found:
    n_before, n_now = (np.array([float(row[i] or 0) for row in rows]) for i in (1, 2))
    if not rows or n_before.sum() == 0 or n_now.sum() == 0:
        said = "one side has no rows"
        return Found(**common, value=None, verdict="not estimable", bypassed=False, reason=said)
    assert one.at_most is not None, "the size from which a difference matters"
    size, p, verdict = judge_drift(n_before, n_now, one.at_most, one.p_at_most)
    reason = (
        f"PSI {size:.4f} (matters above {one.at_most:g}), p {p:.3g}, {int(n_before.sum())} and {int(n_now.sum())} rows"
    )
    bypassed = verdict == "fail" and one.name in run.bypass
    return Found(**common, value=size, p=p, verdict=verdict, bypassed=bypassed, reason=reason)


def _within(one: Check, value: float) -> bool:
    return (one.at_least is None or value >= one.at_least) and (one.at_most is None or value <= one.at_most)


def _said(one: Check, value: float | None) -> str:
    limits = " and ".join(
        f"{word} {limit:g}"
        for word, limit in (("at least", one.at_least), ("at most", one.at_most))
        if limit is not None
    )
    seen = "nothing could be measured" if value is None else f"{value:.6g}"
    return f"{one.why}: {seen}, {limits} expected"


def _create_inputs(db: duckdb.DuckDBPyConnection, name: str, run: Run) -> None:
    """What the stages of a run read: (dataset, digest, as_of)."""
    db.execute(f"CREATE TABLE {name} (dataset VARCHAR, digest VARCHAR, as_of DOUBLE)")
    rows = [(d, digest, run.as_of) for stage in run.stages for d, digest in stage.inputs.items()]
    if rows:
        db.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", rows)
