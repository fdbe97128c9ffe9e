"""What SQL a trainee may run: one SELECT over the lake's tables, and nothing that reaches further.

The statement is judged by DuckDB's own parse tree, not by its text, and by lists of what is allowed
wherever such a list is possible: node types, tables and table functions. The locked connection
(sandbox.telemetry.lake) and the worker's limits (sandbox.telemetry.sql_worker) stand behind it.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.telemetry.lake import IC_COLUMNS

MAX_SQL_CHARS = 50_000  # the longest gold query has about 1,500

VIEWS = frozenset(TABLES) | {"ic"}
_CATALOGUE = frozenset({"duckdb_tables", "duckdb_columns", "duckdb_views", "duckdb_functions", "duckdb_types"})
_INFORMATION = frozenset({"tables", "columns", "schemata"})
_TABLE_FUNCTIONS = _CATALOGUE | {
    "unnest", "range", "generate_series", "repeat", "repeat_row", "json_each", "json_tree",
    "duckdb_keywords", "pragma_table_info",
}  # fmt: skip
_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_SOURCES = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "EMPTY_FROM",
     "PIVOT", "SHOW_REF", "CTE", "COLUMN_DATA"}
)  # fmt: skip
_SHOWN = frozenset({"tables", "__show_tables_expanded"})
_REFUSED_FUNCTIONS = frozenset(
    {"getenv", "current_setting", "getvariable", "write_log", "sleep_ms", "nextval", "currval",
     "json_serialize_plan", "parse_duckdb_log_message", "set_config", "pg_sleep"}
)  # fmt: skip
_PLAIN_NAME = re.compile(r"[^\W\d]\w*", re.UNICODE)

_WHERE = "SQL"


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The lake's views that `sql` reads, when it may run.

    connection: parses only; nothing of `sql` is run on it. Raises LAKE-001 for what is refused,
    LAKE-004 for what does not parse or names no table of the lake.
    """
    if len(sql) > MAX_SQL_CHARS:
        raise _refused(f"{len(sql)} characters", f"at most {MAX_SQL_CHARS}", "ask less at once")
    if "\0" in sql:
        raise _refused("a NUL character", "text", "take it out")
    _one_select(connection, sql)
    tree = _tree(connection, sql)
    named = _cte_names(tree)
    views: list[str] = []
    for node in _walk(tree):
        _check_node(node)
        kind = node.get("type")
        if kind == "BASE_TABLE":
            view = _table(node, named)
            views += [view] if view and view not in views else []
        elif kind == "TABLE_FUNCTION":
            _table_function(node)
        elif kind == "SHOW_REF":
            _show(node)
        elif node.get("class") == "FUNCTION":
            name = str(node.get("function_name", "")).lower()
            if name in _REFUSED_FUNCTIONS:
                raise _refused(f"function {name}", "functions that compute on rows", "leave it out")
    return views


def asks_catalogue(sql: str) -> bool:
    """Whether it may read what tables and columns say of themselves. By its text: it may be so for more than do."""
    return "duckdb_" in sql.lower() or "information_schema" in sql.lower()


def explain_failure(error: duckdb.Error, views: list[str]) -> SandboxError:
    """The typed error for SQL that DuckDB did not run, with the nearest column where one is missing."""
    text = str(error)
    seen = text.split("\n\n")[0].replace("\n", " ")[:400]
    if isinstance(error, duckdb.PermissionException):
        return _refused(seen, "SQL over the tables of the lake", "name tables of the lake only")
    missing = re.search(r'(?:column|Column)(?: with name)? "?([\w.]+)"?', text)
    fix = "see the columns: sandbox sql --describe TABLE"
    if isinstance(error, duckdb.BinderException) and missing:
        wanted = missing.group(1).split(".")[-1]
        near = _near_columns(wanted, views)
        if near:
            fix = f"did you mean {' or '.join(near)}? all columns: sandbox sql --describe {views[0]}"
    return SandboxError("LAKE-004", where=_WHERE, seen=seen, expected="SQL that DuckDB runs", fix=fix)


def unknown_table(name: str) -> SandboxError:
    """LAKE-004 with the nearest names of the lake."""
    near = difflib.get_close_matches(name.lower(), sorted(VIEWS), n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    return SandboxError(
        "LAKE-004",
        where=_WHERE,
        seen=f"table {name}",
        expected="a table of the lake",
        fix=f"{guess}all tables: sandbox sql --tables",
    )


def _one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise SandboxError(
            "LAKE-004",
            where=_WHERE,
            seen=str(error)[:400],
            expected="SQL that DuckDB parses",
            fix="mend it at the place that the message marks",
        ) from None
    if len(statements) != 1:
        raise _refused(f"{len(statements)} statements", "one statement", "run them one by one")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        word = str(kind).rsplit(".", 1)[-1]
        fix = "read with SELECT; change the stack with: sandbox act"
        if word == "MULTI":
            fix = "name the values: PIVOT t ON c IN ('a', 'b') USING ..."
        raise _refused(f"{word} statement", "a SELECT", fix)


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    try:
        row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
        assert row is not None
        tree = json.loads(row[0])
    except (duckdb.Error, RecursionError, ValueError) as error:
        raise _refused(str(error)[:200], "a SELECT whose parse can be read", "simplify it") from None
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        seen = tree.get("error_message", "no parse tree")
        raise _refused(seen, "a SELECT whose parse can be read", "simplify it")
    return tree["statements"]


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the parse tree. A stack of its own: the tree may be deeper than Python's."""
    pending = [tree]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            yield part
            pending += part.values()
        elif isinstance(part, list):
            pending += part


def _cte_names(tree: Any) -> set[str]:
    names: set[str] = set()
    for node in _walk(tree):
        entries = node["cte_map"].get("map", ()) if isinstance(node.get("cte_map"), dict) else ()
        names |= {str(entry.get("key", "")).lower() for entry in entries}
        if isinstance(node.get("cte_name"), str):
            names.add(node["cte_name"].lower())
    # Only plain names: one such as "x.parquet" would be read as a file where the CTE is out of scope.
    return {name for name in names if _PLAIN_NAME.fullmatch(name)}


def _check_node(node: dict[str, Any]) -> None:
    kind = str(node.get("type", ""))
    if kind.endswith("_NODE") and kind not in _NODES:
        word = kind.removesuffix("_NODE").removesuffix("_QUERY")
        raise _refused(f"{word} inside the query", "SELECT throughout", "take it out")
    source = node.get("from_table")
    if isinstance(source, dict) and source.get("type") not in _SOURCES:
        raise _refused(f"{source.get('type')} in FROM", "tables of the lake", "read from a table")


def _table(node: dict[str, Any], named: set[str]) -> str | None:
    """The view that is read, None for a CTE or a catalogue table."""
    path = [str(part) for part in node.get("qualified_name", {}).get("path", ())]
    if not path:
        path = [str(node[k]) for k in ("catalog_name", "schema_name", "table_name") if node.get(k)]
    name, schema = path[-1].lower(), [part.lower() for part in path[:-1]]
    if schema in ([], ["main"], ["memory", "main"], ["memory"]):
        if name in VIEWS and name not in named:
            return name
        if name in named or name in _CATALOGUE:
            return None
    elif schema == ["information_schema"] and name in _INFORMATION:
        return None
    if len(path) > 1 or not _PLAIN_NAME.fullmatch(name):
        raise _refused(f"reading {'.'.join(path)!r}", "tables of the lake", "see them: sandbox sql --tables")
    raise unknown_table(path[-1])


def _table_function(node: dict[str, Any]) -> None:
    function = node.get("function", {})
    name = str(function.get("function_name", "")).lower()
    if name not in _TABLE_FUNCTIONS:
        raise _refused(
            f"table function {name}",
            "tables of the lake, unnest, range, generate_series",
            "files and settings cannot be read from SQL; see what is there: sandbox sql --tables",
        )


def _show(node: dict[str, Any]) -> None:
    if node.get("show_type") in ("DESCRIBE", "SUMMARY"):
        return  # of a query or a table, which is a node of its own
    name = str(node.get("table_name", "")).strip('"').lower()
    if name not in _SHOWN:
        raise _refused(f"SHOW {name}", "SHOW TABLES", "see the tables: sandbox sql --tables")


def _near_columns(wanted: str, views: list[str]) -> list[str]:
    owners: dict[str, str] = {}
    for view in views:
        owners |= dict.fromkeys(TABLES["impressions" if view == "ic" else view].names, view)
        if view == "ic":
            owners |= dict.fromkeys(IC_COLUMNS, view)
    near = difflib.get_close_matches(wanted.lower(), list(owners), n=3, cutoff=0.5)
    return [f"{owners[name]}.{name}" for name in near]


def _refused(seen: object, expected: str, fix: str) -> SandboxError:
    return SandboxError("LAKE-001", where=_WHERE, seen=seen, expected=expected, fix=fix)
