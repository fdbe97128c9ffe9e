"""What a stage is: a name, what it reads and writes, the settings that decide, and a function over relations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from sandbox.base.catalogue import Catalogue
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.rows import Row
from sandbox.pipeline.stages.settings import PipelineConfig
from sandbox.pipeline.stages.sources import Consent

SOURCE = "source."  # before the name of what comes from outside


@dataclass(frozen=True)
class Tally:
    """Rows in and out of a stage; why the others were dropped; world seconds of the newest event among them.
    n_in = n_out + sum(dropped), where a stage passes rows on."""

    rows_in: int
    rows_out: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    newest_ts: float | None = None


@dataclass
class Work:
    """What a stage is handed. Each dataset it reads is a view of its name, a source one of `source_NAME`.

    folder: where its outputs go, kept when it returns and gone when it does not. as_of: world seconds.
    """

    db: duckdb.DuckDBPyConnection
    reads: Mapping[str, tuple[Path, ...]]
    folder: Path
    consent: Consent
    config: PipelineConfig
    as_of: float
    has_negatives: bool
    progress: ProgressFn = quiet

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue.load(self.reads[f"{SOURCE}catalogue"][0])

    def one(self, sql: str, **values: Any) -> tuple[Any, ...]:
        """The only row of a query; $name stands for a value."""
        row = self.db.execute(sql, values or None).fetchone()
        assert row is not None, "an aggregate has a row"
        return row

    def write(self, dataset: str, sql: str, **values: Any) -> int:
        """The rows of a query as a dataset, in its order. Returns how many."""
        self.db.execute(f"COPY ({sql}) TO '{self.file(dataset)}' {PARQUET}", values or None)
        return int(self.one(f"SELECT count(*) FROM read_parquet('{self.file(dataset)}')")[0])

    def file(self, dataset: str) -> Path:
        return self.folder / file_name(dataset)


PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"


@dataclass(frozen=True)
class Made:
    """What is published. root: the world's folder; files: of each dataset read and written; parents: digest of each read.
    started: when the run was, by the engine's clock."""

    root: Path
    run: str
    as_of: float
    files: Mapping[str, Path]
    parents: Mapping[str, str]
    started: float


def file_name(dataset: str) -> str:
    """A dataset is Parquet, or a file whose name says what it is: ranker.safetensors."""
    return dataset if "." in dataset else f"{dataset}.parquet"


@dataclass(frozen=True)
class Stage:
    """name; datasets read (a `source.NAME` from outside, else an earlier stage's) and written; sections of the
    configuration that decide what comes out, beside inputs and code.

    publish: what is to be done with the outputs beyond keeping them, each time the stage is passed, also where they
    were kept from before; to do it twice does nothing more. Returns further rows for the book, by table.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    settings: tuple[str, ...]
    run: Callable[[Work], Tally]
    what: str  # one line for people
    publish: Callable[[Made], dict[str, list[Row]]] | None = None
