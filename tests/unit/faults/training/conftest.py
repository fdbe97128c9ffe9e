"""The pipeline over the small world of two tastes, with one of its stages wrapped by a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.arming import Spec
from faults.stages import armed_stages
from sandbox.pipeline.stages.book import Run
from sandbox.pipeline.stages.database import connect
from sandbox.pipeline.stages.settings import PipelineConfig
from tests.unit.pipeline.stages.small import dataset, engine, small_world


class Made:
    """What a run made. run: its document."""

    def __init__(self, built: Any, run: Run) -> None:
        self.built, self.run = built, run

    def rows(self, name: str, sql: str) -> list[tuple[Any, ...]]:
        """A query over one of its datasets, called `t`."""
        with connect() as db:
            db.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{dataset(self.built, self.run, name)}')")
            return db.execute(sql).fetchall()

    def verdict(self, check: str) -> str:
        return next(found.verdict for found in self.run.checks if found.check == check)

    def dropped(self, stage: str) -> dict[str, int]:
        return next(one.dropped for one in self.run.stages if one.stage == stage)


@pytest.fixture(scope="session")
def two_tastes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_world(tmp_path_factory.mktemp("two-tastes"))


@pytest.fixture(scope="session")
def made(two_tastes: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Runs the pipeline up to a stage, each as its world's first. fault: by name, None for a healthy run; then its
    knobs. checked: with the checks of its data, none of which stops it. What was run before is at hand."""
    there: dict[str, Made] = {}

    def run(until: str, fault: str | None = None, checked: bool = False, **params: Any) -> Made:
        asked = repr((until, fault, checked, sorted(params.items())))
        if asked not in there:
            armed = armed_stages(Spec(fault=fault, params=params, seed=5)) if fault else {}
            built = engine(two_tastes, checked=checked, armed=armed, books=tmp_path_factory.mktemp("book"))
            every = {check.name: "a test" for check in built.checks}
            there[asked] = Made(built, built.run(PipelineConfig(), until=until, bypass=every))
        return there[asked]

    return run
