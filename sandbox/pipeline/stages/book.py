"""The pipeline's book: which runs there were, stage by stage, as documents and as tables for SQL.

WORLD/pipeline/runs/<run>.json is the run; WORLD/pipeline/lake/ has its rows in the form of any lake
(sandbox.telemetry.manifest), so that `sandbox sql --world W` asks them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from sandbox.base.errors import SandboxError
from sandbox.base.locks import alone, is_held
from sandbox.base.rows import Row, row_of
from sandbox.base.run import read_document, write_atomically
from sandbox.base.schema import TABLES

_ARROW = {
    "VARCHAR": pa.string(), "BIGINT": pa.int64(), "INTEGER": pa.int32(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"),
}  # fmt: skip
_RUN = re.compile(r"p-(\d+)\.json")


Kind = Literal[
    "schema", "range", "nulls", "volume", "freshness", "duplicates", "label_rate", "join_rate", "drift", "same_input",
    "skew",
]  # fmt: skip
Verdict = Literal["pass", "fail", "no action", "not estimable"]


class StageRun(BaseModel):
    """A stage as a run passed it. inputs, outputs: digest by dataset. started, finished: seconds of the run's clock."""

    stage: str
    key: str
    cached: bool
    rows_in: int
    rows_out: int
    dropped: dict[str, int]
    inputs: dict[str, str]
    outputs: dict[str, str]
    rows: dict[str, int]  # of each output
    newest_ts: float | None
    started: float
    finished: float
    seconds: float


class Found(BaseModel):
    """A row of data_checks."""

    check: str
    stage: str
    kind: Kind
    value: float | None
    at_least: float | None
    at_most: float | None
    p: float | None = None
    verdict: Verdict
    blocking: bool
    bypassed: bool
    reason: str


class Blocked(BaseModel):
    """The check that stopped a run."""

    check: str
    stage: str
    value: float | None
    reason: str


class Run(BaseModel):
    """WORLD/pipeline/runs/<run>.json. status running: under way, or its process was killed."""

    run: str
    world: str
    until: str
    config: dict[str, Any]
    as_of: float
    bypass: dict[str, str]  # check -> reason
    started: float
    finished: float | None = None
    status: Literal["running", "done", "blocked", "failed"] = "running"
    stages: list[StageRun] = []
    checks: list[Found] = []
    blocked_by: Blocked | None = None
    error: dict[str, Any] | None = None


class Book:
    """root: WORLD/pipeline."""

    def __init__(self, root: Path) -> None:
        self.runs, self.lake = root / "runs", root / "lake"

    def open(
        self, world: str, until: str, config: dict[str, Any], as_of: float, bypass: dict[str, str], now: float
    ) -> Run:
        """A new run, under the next free name."""
        self.runs.mkdir(parents=True, exist_ok=True)
        number = max((n for n, _ in self._numbered()), default=0) + 1
        while True:
            try:
                (self.runs / f"p-{number}.json").touch(exist_ok=False)
                break
            except FileExistsError:  # another one that began just now
                number += 1
        run = Run(run=f"p-{number}", world=world, until=until, config=config, as_of=as_of, bypass=bypass, started=now)
        self.write(run)
        return run

    def write(self, run: Run) -> None:
        """The document, then its rows: whoever is killed between them has them written by the next run's `write`."""
        write_atomically(self.runs / f"{run.run}.json", run.model_dump_json(indent=1))
        for table, rows in rows_of(run).items():
            self.segment(table, run.run, rows)
        self._publish()

    def read(self, run: str) -> Run:
        """Raises PIPE-001 for a run that there is not, CFG-003 for a document that is none."""
        if f"{run}.json" not in {path.name for _, path in self._numbered()}:
            raise SandboxError(
                "PIPE-001",
                where=f"runs of the pipeline in {self.runs.parent}",
                seen=run,
                expected=f"one of {[p.stem for _, p in self._numbered()][-10:]}",
                fix="see the runs: sandbox pipeline status",
            )
        return read_document(self.runs / f"{run}.json", Run.model_validate, "PIPE-001")

    def all(self) -> list[Run]:
        """From the first; one that was killed before it wrote its first word is left out."""
        return [self.read(path.stem) for _, path in self._numbered() if path.stat().st_size]

    @contextmanager
    def alive(self, run: str) -> Iterator[None]:
        """While it is open, `is_alive` of the run is true, for every process."""
        with alone(self.runs / f".{run}.lock"):
            yield

    def is_alive(self, run: str) -> bool:
        return is_held(self.runs / f".{run}.lock")

    def segment(self, table: str, name: str, rows: Sequence[Row]) -> None:
        """Rows of a table, at least one, in place of those of that name; readers see them from the next `write` on."""
        columns = TABLES[table].columns
        arrays = [
            pa.array([_cell(v, c.type) for v in values], _ARROW[c.type])
            for c, values in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        folder = self.lake / table
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{name}.part"
        pq.write_table(pa.table(arrays, names=[c.name for c in columns]), aside, compression="zstd")
        aside.replace(folder / f"{name}.parquet")

    def _publish(self) -> None:
        """The manifest of what lies there, for readers; from the folder each time, so that it heals after a kill.
        Nobody reads its numbers of rows but to see whether a segment has some."""
        self.lake.mkdir(parents=True, exist_ok=True)
        tables: dict[str, list[tuple[str, int, int]]] = {}
        with alone(self.lake / ".lock"):
            for path in sorted(self.lake.glob("*/[!.]*.parquet")):
                tables.setdefault(path.parent.name, []).append((f"{path.parent.name}/{path.name}", 1, 0))
            text = json.dumps({"format": 1, "generation": 0, "tables": tables})
            write_atomically(self.lake / "manifest.json", text)

    def _numbered(self) -> list[tuple[int, Path]]:
        found = ((_RUN.fullmatch(path.name), path) for path in self.runs.glob("p-*.json"))
        return sorted((int(match[1]), path) for match, path in found if match)


def rows_of(run: Run) -> dict[str, list[Row]]:
    """Rows of the lake that tell of a run, by table; tables without any are left out."""
    makers = {dataset: stage.stage for stage in run.stages for dataset in stage.outputs}
    n_rows = {dataset: n for stage in run.stages for dataset, n in stage.rows.items()}
    ended = {stage.stage: stage.finished for stage in run.stages}
    tables: dict[str, list[Row]] = {
        "pipeline_stages": [
            row_of.pipeline_stages(
                run=run.run, stage=one.stage, started=one.started, finished=one.finished, key=one.key, cached=one.cached,
                rows_in=one.rows_in, rows_out=one.rows_out, source_max_event_ts=one.newest_ts, seconds=one.seconds,
            )
            for one in run.stages
        ],
        "pipeline_drops": [
            row_of.pipeline_drops(run=run.run, stage=one.stage, reason=reason, rows=n)
            for one in run.stages
            for reason, n in one.dropped.items()
        ],
        "pipeline_datasets": [
            row_of.pipeline_datasets(
                run=run.run, stage=one.stage, role=role, dataset=dataset, digest=digest, producer=makers.get(dataset),
                rows=n_rows.get(dataset),
            )
            for one in run.stages
            for role, digests in (("read", one.inputs), ("wrote", one.outputs))
            for dataset, digest in digests.items()
        ],
        "data_checks": [
            row_of.data_checks(
                ts=ended[one.stage], run=run.run, stage=one.stage, check_name=one.check, kind=one.kind, value=one.value,
                at_least=one.at_least, at_most=one.at_most, p=one.p, verdict=one.verdict, blocking=one.blocking,
                bypassed=one.bypassed, reason=one.reason,
            )
            for one in run.checks
        ],
        "changes": [
            row_of.changes(
                ts=ended[one.stage], target="pipeline", key=f"check {one.check}", old="blocks", new="bypassed",
                actor="operator", note=run.bypass[one.check],
            )
            for one in run.checks
            if one.bypassed
        ],
    }  # fmt: skip
    if run.status != "running":
        blocked = run.blocked_by
        why = blocked.reason if blocked else (run.error or {}).get("title")
        tables["pipeline_runs"] = [
            row_of.pipeline_runs(
                run=run.run, world=run.world, started=run.started, finished=run.finished, status=run.status,
                until_stage=run.until, as_of=run.as_of, seed=run.config["seed"],
                blocked_by=blocked.check if blocked else None, reason=why,
            )
        ]  # fmt: skip
    return {table: rows for table, rows in tables.items() if rows}


def _cell(value: Any, kind: str) -> Any:
    if kind == "TIMESTAMP" and value is not None:
        return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
    return value
