"""Rows by the names of their columns: one builder for each table, made from the schema."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.rows import RowOf, builder, row_of
from sandbox.base.schema import REQUIRED, TABLES, Column, Table

VISITS = Table(
    "visits",
    "visit",
    "door",
    (Column("ts", "TIMESTAMP", "world time"), Column("who", "VARCHAR", "name of the visitor")),
)
NAMES = st.from_regex(r"col_[a-z0-9]{1,6}", fullmatch=True)
CELLS = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))


def called_by_a_writer(rows):
    """A call site as it stands in a service: it names what it knows."""
    return rows.visits(who="ada", ts=5.0)


def test_a_row_lies_in_the_order_of_the_schema_whatever_the_order_of_the_names():
    assert called_by_a_writer(RowOf({"visits": VISITS})) == (5.0, "ada")


def test_a_column_with_a_default_costs_no_edit_but_the_schema():
    before = VISITS.columns
    wider = replace(VISITS, columns=(before[0], Column("door", "INTEGER", "which", 1), before[1]))

    assert called_by_a_writer(RowOf({"visits": wider})) == (5.0, 1, "ada")


def test_a_column_without_a_default_has_to_be_named_by_every_writer():
    wider = replace(VISITS, columns=(*VISITS.columns, Column("door", "INTEGER", "which")))

    with pytest.raises(TypeError, match=r"visits\(\) missing .*'door'"):
        called_by_a_writer(RowOf({"visits": wider}))


def test_an_unknown_column_is_refused_with_its_name_and_the_tables():
    with pytest.raises(TypeError, match=r"spans\(\) .*'duration'"):
        row_of.spans(duration=1.0)


def test_columns_cannot_be_given_by_place():
    with pytest.raises(TypeError, match=r"visits\(\) takes 0 positional arguments"):
        builder(VISITS)(5.0, "ada")


def test_a_table_that_there_is_not_is_named():
    with pytest.raises(AttributeError, match="spanz"):
        row_of.spanz(ts=1.0)


def test_a_default_is_written_in_the_schema_behind_the_type():
    columns = {c.name: c for c in TABLES["spans"].columns}
    found = [(columns[n].type, columns[n].default) for n in ("queue_ms", "attempt", "trace_id")]

    assert found == [("DOUBLE", None), ("INTEGER", 1), ("VARCHAR", REQUIRED)]


def test_whole_columns_go_the_same_way():
    columns = row_of.creators(followers=[7, 8], creator_id=[1, 2], name=["a", "b"], creator_group="AB")

    assert list(zip(*columns, strict=True)) == [(1, "a", "A", 7), (2, "b", "B", 8)]


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_table_of_the_lake_has_its_builder(table):
    numbered = {name: number for number, name in enumerate(table.names)}

    assert getattr(row_of, table.name)(**numbered) == tuple(range(len(table.columns)))
    assert getattr(row_of, table.name).__doc__ == f"A row of {table.name}: one {table.row}."


@given(st.data())
def test_builder_and_schema_agree_for_any_table(data):
    """What is named lies in its column's place, what may be left out is its default, and nothing else."""
    names = data.draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    defaults = [data.draw(st.one_of(st.just(REQUIRED), CELLS)) for _ in names]
    columns = tuple(Column(n, "VARCHAR", "text", d) for n, d in zip(names, defaults, strict=True))
    given_ = {c.name: data.draw(CELLS) for c in columns if c.default is REQUIRED or data.draw(st.booleans())}

    row = builder(Table("any_table", "row", "test", columns))(**given_)

    assert row == tuple(given_.get(c.name, c.default) for c in columns)
