"""The SQL guard: what reads the lake passes, whatever reaches further is refused, however it is dressed."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.telemetry.lake import Lake
from sandbox.telemetry.sqlguard import MAX_SQL_CHARS, check

PASSES = [
    "SELECT 1",
    "FROM requests",
    "TABLE requests",
    "VALUES (1), (2)",
    "DESCRIBE requests",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SUMMARIZE requests",
    "SELECT * FROM ic JOIN items USING (item_id);",
    "SELECT * FROM main.requests, memory.main.spans",
    "WITH requests AS (SELECT 1 AS a) SELECT * FROM requests",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT * FROM t",
    "SELECT unnest([1, 2]), * FROM range(3), generate_series(1, 2) s",
    "SELECT region, ts, lag(latency_ms) OVER (PARTITION BY region ORDER BY ts) FROM requests",
    "PIVOT requests ON region IN ('EU', 'US') USING count(*)",
    "SELECT table_name FROM information_schema.tables",
    "SELECT comment FROM duckdb_columns() WHERE table_name = 'requests'",
    "SELECT * FROM requests ASOF JOIN alerts ON requests.ts >= alerts.ts",
    "SELECT max(ts) FROM requests WHERE ts > world_now() - INTERVAL 5 MINUTE",
    "SELECT fields->>'why' FROM logs",
    "(SELECT 1 AS a) UNION ALL (SELECT 2) ORDER BY a LIMIT 1",
]
REFUSED = [
    "INSERT INTO requests VALUES (1)",
    "UPDATE requests SET region = 'EU'",
    "DELETE FROM requests",
    "DROP VIEW requests",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW requests AS SELECT 1",
    "CREATE MACRO world_now() AS 1",
    "COPY requests TO 'x.parquet'",
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    "EXPORT DATABASE 'x'",
    "IMPORT DATABASE 'x'",
    "ATTACH 'x.db'",
    "ATTACH ':memory:' AS m",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "SET VARIABLE files_requests = ['/etc/passwd']",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA version",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT 1; DROP VIEW requests",
    "SELECT 1; SELECT 2",
    "",
    "   ;  ",
    "-- nothing but a comment",
    "WITH d AS (DELETE FROM requests RETURNING *) SELECT * FROM d",
    "WITH d AS (INSERT INTO requests VALUES (1) RETURNING *) SELECT * FROM d",
    "SELECT * FROM read_parquet('requests/00000001.parquet')",
    "SELECT * FROM parquet_scan('*/*.parquet')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM READ_CSV_AUTO('/etc/passwd')",
    "SELECT * FROM read_json('run.json')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('x.parquet')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'manifest.json'",
    'SELECT * FROM "requests/00000001.parquet"',
    "SELECT * FROM 'https://example.org/x.csv'",
    "DESCRIBE 'x.parquet'",
    "SUMMARIZE 'x.parquet'",
    "SELECT (SELECT count(*) FROM 'x.csv')",
    "SELECT * FROM requests WHERE region IN (SELECT content FROM read_text('x'))",
    "WITH a AS (SELECT * FROM read_text('x')) SELECT * FROM a",
    'SELECT (WITH "f.parquet" AS (SELECT 1) SELECT 1) FROM "f.parquet"',
    "SELECT * FROM query('SELECT * FROM read_text(''x'')')",
    "SELECT * FROM query_table('x.parquet')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_variables()",
    "SELECT * FROM which_secret('x', 's3')",
    "SELECT getenv('HOME')",
    "SELECT GetEnv('HOME')",
    "SELECT 'HOME'.getenv()",
    "SELECT main.getenv('HOME')",
    "SELECT list_transform(['HOME'], x -> getenv(x))",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('files_requests')",
    "SELECT write_log('x')",
    "SHOW DATABASES",
    "SELECT " + "1 + " * MAX_SQL_CHARS + "1",
    "SELECT 1 \0",
]


@pytest.fixture(scope="module")
def connection(tmp_path_factory) -> duckdb.DuckDBPyConnection:
    return Lake(tmp_path_factory.mktemp("lake"), locked=True).connection


@pytest.mark.parametrize("sql", PASSES)
def test_what_reads_the_lake_passes_and_runs(connection, sql):
    check(connection, sql)

    connection.execute(sql).fetchall()


@pytest.mark.parametrize("sql", REFUSED)
def test_what_reaches_further_is_refused(connection, sql):
    with pytest.raises(SandboxError, match="LAKE-001"):
        check(connection, sql)


@pytest.mark.parametrize("sql", [s for s in REFUSED if s.startswith("SELECT") and "\0" not in s])
def test_the_locked_connection_stands_behind_the_guard(tmp_path, sql):
    """Were the guard passed by a trick, the connection still would reach no file outside of the lake."""
    (tmp_path / "secret.txt").write_text("latent")
    lake = Lake(tmp_path / "lake", locked=True)
    outside = sql.replace("'x'", f"'{tmp_path}/secret.txt'").replace("/etc/passwd", f"{tmp_path}/secret.txt")

    seen = ""
    try:
        seen = str(lake.connection.execute(outside).fetchall())
    except (duckdb.Error, RecursionError) as error:
        seen = type(error).__name__

    assert "latent" not in seen


def test_views_that_are_read_are_named_once(connection):
    views = check(connection, "SELECT * FROM ic, requests r, (SELECT * FROM requests), spans")

    assert sorted(views) == ["ic", "requests", "spans"]


@pytest.mark.parametrize(
    ("sql", "guess"),
    [("SELECT * FROM request", "requests"), ("SELECT * FROM Impression", "impressions"), ("FROM spanz", "spans")],
)
def test_a_misspelt_table_is_answered_with_the_one_that_was_meant(connection, sql, guess):
    with pytest.raises(SandboxError, match="LAKE-004") as caught:
        check(connection, sql)

    assert f"did you mean {guess}" in caught.value.fix


_words = st.sampled_from(
    ["SELECT", "FROM", "*", "(", ")", ",", ";", "'x.csv'", "requests", "WITH a AS", "DELETE FROM",
     "read_text('x')", "COPY", "TO", "getenv('HOME')", "1", "--", "/*", "*/", "UNION", "WHERE", "'", '"',
     "RETURNING *", "DESCRIBE", "$$", "PIVOT", "ON"]
)  # fmt: skip


@given(st.lists(_words, min_size=1, max_size=14).map(" ".join))
def test_whatever_the_words_a_query_is_refused_by_code_or_reads_the_lake_alone(connection, sql):
    try:
        views = check(connection, sql)
    except SandboxError as error:
        refusal = error.kind.code
    else:
        refusal = None
        assert set(views) <= {*TABLES, "ic"}

    if refusal is None:
        (statement,) = connection.extract_statements(sql)
        assert statement.type == duckdb.StatementType.SELECT
        bare = "".join(part for n, part in enumerate(sql.split("'")) if n % 2 == 0)
        assert not any(word in bare.split("--")[0].split("/*")[0] for word in ("DELETE", "COPY", "getenv("))
    else:
        assert refusal in ("LAKE-001", "LAKE-004")
