"""Runs the stages in order: each found by its key or made, checked, and written into the book before the next begins.

A run that is killed has lost the stage it was in and nothing else: what was made before is found by its key. A run
that is resumed is the same run with the same configuration.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from sandbox.base import sources as code
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.pipeline.stages import check, store
from sandbox.pipeline.stages.book import Blocked, Book, Run, StageRun
from sandbox.pipeline.stages.check import Check
from sandbox.pipeline.stages.database import connect
from sandbox.pipeline.stages.settings import PipelineConfig
from sandbox.pipeline.stages.sources import Sources
from sandbox.pipeline.stages.spec import SOURCE, Made, Stage, Tally, Work
from sandbox.pipeline.stages.store import Dataset, Entry, Store

Wrapper = Callable[[Callable[[Work], Tally]], Callable[[Work], Tally]]
INTERRUPTED = "Query interrupted"  # DuckDB's word for Ctrl-C
SPILL = "spill"  # beside a stage's outputs, while it is made


@dataclass(frozen=True)
class Armed:
    """What is wrapped around a stage. key: what it does, for the hash of what comes out."""

    wrapper: Wrapper
    key: str


@dataclass
class Engine:
    """now: seconds, of whatever clock the run is told by; seconds: a clock that only measures. armed: by stage.
    books: folder of a book apart, for runs that are none of the world's own; what stages made is kept in one place."""

    sources: Sources
    stages: Sequence[Stage]
    checks: Sequence[Check]
    now: Callable[[], float]
    seconds: Callable[[], float]
    progress: ProgressFn = quiet
    armed: Mapping[str, Armed] | None = None
    books: Path | None = None

    def __post_init__(self) -> None:
        root = self.sources.root / "pipeline"
        self.store, self.book = Store(root), Book(self.books or root)

    def run(self, config: PipelineConfig, *, until: str | None = None, bypass: Mapping[str, str] | None = None) -> Run:
        """A new run. until: the last stage; None for all. bypass: check -> why it may fail.

        What it comes to is in its status: a check that stops it is no error. Raises PIPE-001 for a stage or check
        that there is not, PIPE-002, PIPE-004 and what stages raise; the run is then in the book as failed.
        """
        until = self._until(until)
        for name in bypass or {}:
            self._check_named(name)
        as_of = self.sources.as_of if config.as_of is None else config.as_of
        document = config.model_dump(mode="json")
        run = self.book.open(self.sources.world, until, document, as_of, dict(bypass or {}), self.now())
        return self._carry_out(run)

    def resume(self, name: str) -> Run:
        """The run again, from where it stopped. Raises PIPE-001, and PIPE-003 for one that is under way or done."""
        run = self.book.read(name)
        if self.book.is_alive(name) or run.status == "done":
            raise SandboxError(
                "PIPE-003",
                where=f"run {name}",
                seen="done" if run.status == "done" else "under way in another process",
                expected="a run that was stopped, failed or killed",
                fix="begin another: sandbox pipeline run",
            )
        return self._carry_out(run.model_copy(update={"status": "running", "blocked_by": None, "error": None}))

    def _carry_out(self, run: Run) -> Run:
        run.stages, run.checks, run.finished = [], [], None
        made: dict[str, Dataset] = {}
        before = self._before(run)
        self.store.sweep()
        with self.book.alive(run.run):
            self.book.write(run)
            try:
                for stage in self._up_to(run.until):
                    self._pass(run, stage, made, before)
                    if run.blocked_by:
                        break
                run.status = "blocked" if run.blocked_by else "done"
            except SandboxError as error:
                run.status, run.error = "failed", error.as_json()
                raise
            finally:  # killed by Ctrl-C: it stays "running", and is seen to be dead
                if run.status != "running":
                    run.finished = self.now()
                self.book.write(run)
        return run

    def _pass(self, run: Run, stage: Stage, made: dict[str, Dataset], before: check.Before | None) -> None:
        self.progress(stage.name, None)
        started, began = self.now(), self.seconds()
        inputs = self._inputs(stage, made)
        key = self._key(run, stage, inputs)
        entry = self.store.find(stage.name, key)
        cached = entry is not None
        if entry is None:
            with self.store.one_at_a_time(stage.name, key):
                entry = self.store.find(stage.name, key) or self._make(run, stage, key, inputs, made)
        made.update(entry.outputs)
        passed = StageRun(
            stage=stage.name, key=key, cached=cached, rows_in=entry.rows_in, rows_out=entry.rows_out,
            dropped=dict(entry.dropped), inputs=inputs, outputs={n: d.digest for n, d in entry.outputs.items()},
            rows={n: d.rows for n, d in entry.outputs.items()}, newest_ts=entry.newest_ts, started=started,
            finished=self.now(), seconds=self.seconds() - began,
        )  # fmt: skip
        run.stages.append(passed)
        self._check(run, stage, made, before)
        if stage.publish and not run.blocked_by:
            files = {name: made[name].path for name in (*stage.reads, *stage.writes) if name in made}
            rows = stage.publish(Made(self.sources.root, run.run, run.as_of, files, inputs, run.started))
            for table, of_table in rows.items():
                self.book.segment(table, f"{stage.name}-{key}", of_table)
        self.book.write(run)

    def _make(self, run: Run, stage: Stage, key: str, inputs: dict[str, str], made: Mapping[str, Dataset]) -> Entry:
        folder = self.store.aside(stage.name, key)
        folder.mkdir()
        began = self.seconds()
        try:
            with connect(folder / SPILL) as db:
                reads = {name: self._files(name, made) for name in stage.reads}
                create_views(db, reads)
                config = PipelineConfig.model_validate(run.config)
                work = Work(
                    db,
                    reads,
                    folder,
                    self.sources.consent,
                    config,
                    run.as_of,
                    self.sources.has_negatives,
                    self.progress,
                )
                tally = self._wrapped(stage)(work)
            shutil.rmtree(folder / SPILL, ignore_errors=True)
            for name in (n for n in stage.reads if n.startswith(SOURCE)):
                self._is_unchanged(name, inputs[name])
            outputs = {name: _dataset(name, work.file(name)) for name in stage.writes}
            return self.store.commit(
                Entry(
                    stage.name, key, outputs, tally.rows_in, tally.rows_out, tally.dropped, tally.newest_ts,
                    self.seconds() - began,
                )
            )  # fmt: skip
        except BaseException as error:  # also Ctrl-C: nothing half-written stays
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, RuntimeError) and str(error) == INTERRUPTED:
                raise KeyboardInterrupt from error
            raise

    def _inputs(self, stage: Stage, made: Mapping[str, Dataset]) -> dict[str, str]:
        return {
            name: self.sources.digest(name.removeprefix(SOURCE)) if name.startswith(SOURCE) else made[name].digest
            for name in stage.reads
        }

    def _files(self, name: str, made: Mapping[str, Dataset]) -> tuple[Any, ...]:
        if not name.startswith(SOURCE):
            return (made[name].path,)
        return self.sources.files.get(name.removeprefix(SOURCE), ())  # consent is a source, and no file

    def _is_unchanged(self, name: str, digest: str) -> None:
        now = self.sources.digest(name.removeprefix(SOURCE))
        if now != digest:
            files = ", ".join(str(path) for path in self._files(name, {})) or name
            raise SandboxError(
                "PIPE-002",
                where=files,
                seen=f"digest {digest} before, {now} after",
                expected="files that nobody writes while they are read",
                fix="let the writer finish, then: sandbox pipeline resume; nothing was kept of this stage",
            )

    def _key(self, run: Run, stage: Stage, inputs: Mapping[str, str]) -> str:
        known = {**run.config, "as_of": run.as_of, "has_negatives": self.sources.has_negatives}
        armed = (self.armed or {}).get(stage.name)
        return store.key_of(
            {
                "stage": stage.name,
                "inputs": dict(inputs),
                "code": code.code_hash(stage.run.__module__),
                "settings": {name: known[name] for name in stage.settings},
                "armed": armed.key if armed else None,
            }
        )

    def _wrapped(self, stage: Stage) -> Callable[[Work], Tally]:
        armed = (self.armed or {}).get(stage.name)
        return armed.wrapper(stage.run) if armed else stage.run

    def _check(self, run: Run, stage: Stage, made: Mapping[str, Dataset], before: check.Before | None) -> None:
        mine = [one for one in self.checks if one.stage == stage.name]
        if not mine:
            return
        found = check.carry_out(mine, {n: d.path for n, d in made.items()}, before, run)
        run.checks += found
        stopped = next((one for one in found if one.verdict == "fail" and one.blocking and not one.bypassed), None)
        if stopped:
            run.blocked_by = Blocked(check=stopped.check, stage=stage.name, value=stopped.value, reason=stopped.reason)

    def _before(self, run: Run) -> check.Before | None:
        """The last run of this world that was done, with those of its datasets that are still kept."""
        done = [one for one in self.book.all() if one.status == "done" and one.run != run.run]
        if not done:
            return None
        last = done[-1]
        entries = (self.store.find(one.stage, one.key) for one in last.stages)
        return check.Before(last, {name: d.path for entry in entries if entry for name, d in entry.outputs.items()})

    def _up_to(self, until: str) -> list[Stage]:
        names = [stage.name for stage in self.stages]
        return list(self.stages[: names.index(until) + 1])

    def _until(self, until: str | None) -> str:
        names = [stage.name for stage in self.stages]
        if until is None:
            return names[-1]
        _require(until, names, "--until", "see the stages: sandbox pipeline show")
        return until

    def _check_named(self, name: str) -> None:
        _require(name, [one.name for one in self.checks], "--bypass", "name the check that `blocked_by` names")


def _require(name: str, names: Sequence[str], where: str, fix: str) -> None:
    """Raises PIPE-001 for a name that is none of these."""
    if name not in names:
        raise SandboxError("PIPE-001", where=where, seen=name, expected=f"one of {', '.join(names)}", fix=fix)


def create_views(db: duckdb.DuckDBPyConnection, reads: Mapping[str, Sequence[Any]]) -> None:
    """A view for each dataset of Parquet files; a source's is called source_NAME."""
    for name, files in reads.items():
        if files and all(path.suffix == ".parquet" for path in files):
            listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
            db.execute(f"CREATE VIEW {name.replace('.', '_')} AS SELECT * FROM read_parquet([{listed}])")


def _dataset(name: str, path: Any) -> Dataset:
    if path.suffix != ".parquet":
        return Dataset(name, path, store.digest_of([path]), 0)
    with connect() as db:
        row = db.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchone()
    assert row is not None, "a count has a row"
    return Dataset(name, path, store.digest_of([path]), int(row[0]))
