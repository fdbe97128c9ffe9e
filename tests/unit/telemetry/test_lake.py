"""Reading the lake: every table is there from the first moment, and nothing is seen half."""

from datetime import datetime

from sandbox.base.schema import TABLES
from sandbox.telemetry.lake import Lake, connect
from sandbox.telemetry.segments import FANOUT, LINGER_S, SegmentStore


def impression(request: str, item: int, position: int) -> list:
    return [60.0, request, "s-1", 7, item, position, position, 0.5, 0.1, "ann", 1.0, False, "control", "rk-1"]


def outcome(request: str, item: int, kind: str, value: float) -> list:
    return [70.0, 71.0, f"{request}-{item}-{kind}", request, "s-1", 7, item, kind, value]


def test_a_lake_that_does_not_exist_yet_has_every_table_empty_and_typed(tmp_path):
    connection = connect(tmp_path / "none")

    for table in TABLES.values():
        described = connection.execute(f"DESCRIBE {table.name}").fetchall()
        assert [(row[0], row[1]) for row in described] == [(c.name, c.type) for c in table.columns]
        assert connection.execute(f"SELECT count(*) FROM {table.name}").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM ic").fetchone() == (0,)


def test_types_and_comments_are_those_of_the_schema_once_there_are_rows(tmp_path):
    """Also where they were asked for before."""
    store, lake = SegmentStore(tmp_path, lambda: 0.0), Lake(tmp_path)
    lake.comment()
    for table in TABLES.values():
        store.add(table.name, [[None] * len(table.columns)])
    store.flush()

    lake.refresh()

    for table in TABLES.values():
        described = lake.connection.execute(f"DESCRIBE {table.name}").fetchall()
        assert [(row[0], row[1]) for row in described] == [(c.name, c.type) for c in table.columns]
    bare = "SELECT table_name, column_name FROM duckdb_columns() WHERE comment IS NULL AND NOT internal"
    assert lake.query(bare) == []


def test_ic_tells_what_came_of_each_impression_and_counts_a_double_delivery_once(tmp_path):
    store = SegmentStore(tmp_path, lambda: 0.0)
    store.add("impressions", [impression("r1", 1, 1), impression("r1", 2, 2)])
    click = outcome("r1", 1, "click", 1.0)
    store.add("outcomes", [click, click, outcome("r1", 1, "dwell", 42.0)])
    store.flush()

    rows = Lake(tmp_path).query("SELECT item_id, clicked, converted, hidden, dwell_s, ts FROM ic ORDER BY 1")

    assert rows == [(1, 1, 0, 0, 42.0, datetime(1970, 1, 1, 0, 1)), (2, 0, 0, 0, None, datetime(1970, 1, 1, 0, 1))]


def test_a_reader_that_refreshes_sees_rows_and_merges_as_they_are_published(tmp_path):
    now = [0.0]
    store, lake = SegmentStore(tmp_path, lambda: now[0]), Lake(tmp_path, locked=True)

    for number in range(FANOUT):
        store.add("metrics", [[float(number), "ctr", "all", 0.1]])
        store.flush()
        assert lake.query("SELECT count(*) FROM metrics") == [(number + 1,)]
    store.compact()
    now[0] = LINGER_S + 1
    store.sweep()

    assert len(list(tmp_path.glob("metrics/*.parquet"))) == 1
    assert lake.query("SELECT count(*), max(epoch(ts)) FROM metrics") == [(FANOUT, FANOUT - 1.0)]


def test_a_lake_can_be_read_as_it_stood_at_a_time(tmp_path):
    store = SegmentStore(tmp_path, lambda: 0.0)
    store.add("metrics", [[float(number), "ctr", "all", 0.1] for number in range(10)])
    late = outcome("req-1", 8, "conversion", 9.5)
    store.add("outcomes", [[1.0, 1.5, *outcome("req-1", 8, "click", 1.0)[2:]], [2.0, 8.0, *late[2:]]])
    store.flush()

    then, now = Lake(tmp_path, locked=True, until_ts=5.0), Lake(tmp_path, locked=True)

    assert then.query("SELECT count(*), max(epoch(ts)) FROM metrics") == [(5, 4.0)]
    assert now.query("SELECT count(*) FROM metrics") == [(10,)]
    assert then.query("SELECT count(*) FROM outcomes") == [(1,)], "the other had not come in yet"
