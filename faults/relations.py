"""What faults of training share: other rows for a stage's datasets, by one query, and knobs that name a group.

Every process of a stack knows all faults, and none of the stack's runs the pipeline: what that needs is imported where
it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from faults.base import FaultParams
from sandbox.base.catalogue import CREATOR_GROUPS, REGIONS
from sandbox.base.streams import uniforms

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work

WHOLE = "{whole}"  # in a query: the dataset as it was
FRESH = 1 << 40  # above any request id that was given out


def reading(work: Work, dataset: str, sql: str, **values: Any) -> Work:
    """The same work, which reads the rows of a query in place of a dataset. In it {whole} is the dataset as it was,
    and $name stands for a value. The rows keep the dataset's columns."""
    view = dataset.replace(".", "_")
    path = _query(work, view, sql, work.reads[dataset], values)
    work.db.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM read_parquet('{path}')")
    return replace(work, reads={**work.reads, dataset: (path,)})


def rewrite(work: Work, dataset: str, sql: str, **values: Any) -> None:
    """Puts the rows of such a query in the place of a dataset that the stage has written."""
    _query(work, dataset, sql, [work.file(dataset)], values).replace(work.file(dataset))


def know_users(work: Work) -> None:
    """Makes a table `of_user` (user_id, region) of the work's catalogue, for queries."""
    import pyarrow as pa

    region = np.asarray(REGIONS)[work.catalogue.user_region]
    work.db.register("of_user", pa.table({"user_id": np.arange(len(region)), "region": region}))


def know_items(work: Work) -> None:
    """Makes a table `of_item` (item_id, creator_group) of the work's catalogue, for queries."""
    import pyarrow as pa

    group = np.asarray(CREATOR_GROUPS)[work.catalogue.creator_group[work.catalogue.item_creator]]
    work.db.register("of_item", pa.table({"item_id": np.arange(len(group)), "creator_group": group}))


def throw_dice(work: Work, seed: int, purpose: str) -> None:
    """Makes a function luck(a, b) for queries, 0..1, of two numbers not below 0: the same for the same, whatever else
    is asked."""
    import pyarrow as pa
    from duckdb.func import PythonUDFType

    def luck(a: Any, b: Any) -> Any:  # columns of Arrow
        return pa.array(uniforms(seed, purpose, a.to_numpy(), b.to_numpy()))

    work.db.create_function("luck", luck, ["BIGINT", "BIGINT"], "DOUBLE", type=PythonUDFType.ARROW)


class OfGroup(FaultParams):
    """Knobs of a fault that hits the items of one creator group."""

    group: str = Field("B", description="creator group")

    @field_validator("group")
    @classmethod
    def _there(cls, name: str) -> str:
        require_known([name], CREATOR_GROUPS)
        return name


def require_known(names: Iterable[str], there: Iterable[str]) -> None:
    """Raises ValueError for the first of these names that is none of those there are."""
    for name in names:
        if name not in there:
            raise ValueError(f"{name!r} is none of {', '.join(there)}")


def _query(work: Work, name: str, sql: str, files: Iterable[Path], values: dict[str, Any]) -> Path:
    """The file of a query's rows, among what goes away with the stage."""
    from sandbox.pipeline.stages.engine import SPILL
    from sandbox.pipeline.stages.spec import PARQUET

    place = work.folder / SPILL
    place.mkdir(exist_ok=True)
    path = place / f"{name}.parquet"
    listed = ", ".join(f"'{file}'" for file in files)
    rows = sql.replace(WHOLE, f"read_parquet([{listed}])")
    work.db.execute(f"COPY ({rows}) TO '{path}' {PARQUET}", values or None)
    return path
