"""docs/sql.md is what the schema says, and every query on it runs."""

from pathlib import Path

import pytest

from sandbox.base.indicators import INDICATORS
from sandbox.base.schema import TABLES
from sandbox.telemetry.lake import Lake
from sandbox.telemetry.reference import EXAMPLES, columns_of, page
from sandbox.telemetry.settings import AlertSettings
from sandbox.telemetry.sql import SqlWorker
from tests.unit.telemetry.toy import write_toy


@pytest.fixture(scope="module", params=["empty", "toy"])
def worker(request, tmp_path_factory):
    lake = tmp_path_factory.mktemp("lake")
    if request.param == "toy":
        write_toy(lake)
    with SqlWorker(lake) as worker:
        worker.full = request.param == "toy"
        yield worker


@pytest.mark.parametrize("sql", [sql for _, sql in EXAMPLES], ids=[t[:30] for t, _ in EXAMPLES])
def test_every_example_runs_on_an_empty_lake_and_answers_on_a_toy(worker, sql):
    result = worker.query(sql)

    assert bool(result.rows) == worker.full


def test_the_slow_hop_of_the_toy_stands_first_in_the_example_that_looks_for_it(tmp_path):
    sql = next(sql for title, sql in EXAMPLES if title.startswith("Where does the time"))

    with SqlWorker(write_toy(tmp_path)) as worker:
        first = dict(zip(*(lambda r: (r.columns, r.rows[0]))(worker.query(sql)), strict=True))

    assert (first["caller"], first["callee"]) == ("ranking", "features")


def test_the_page_names_every_table_and_column():
    text = page()

    for table in TABLES.values():
        assert f"\n### `{table.name}`\n" in text
        assert all(f"| `{c.name}` | {c.type} | " in text for c in table.columns)


def test_the_page_names_every_indicator_and_every_alert():
    text, alerts = page(), AlertSettings()

    assert all(f"| `{name}` |" in text for name in INDICATORS)
    for objective in alerts.objectives:
        assert all(f"| `{objective.name}-{suffix}` | " in text for suffix in objective.windows)
    assert all(f"| `{baseline.name}-low` | page |" in text for baseline in alerts.baselines)


def test_the_committed_page_is_the_printed_one():
    committed = Path(__file__).parents[3] / "docs" / "sql.md"
    assert committed.read_text() == page()


def test_the_columns_given_for_ic_are_those_of_the_view(tmp_path):
    described = Lake(tmp_path).query("DESCRIBE ic")

    assert {(row[0], row[1]) for row in described} == {(c.name, c.type) for c in columns_of("ic")}
