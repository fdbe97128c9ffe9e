"""ASOF joins of the engine that asks the lake: who looks up what was known at a moment relies on them. Each case went
wrong in some release of DuckDB (the number is that of its issue) or of an engine weighed beside it."""

from __future__ import annotations

import pytest

from sandbox.pipeline.stages.database import connect

NONE = "CAST(NULL AS INTEGER)"
CASES = {
    "18303: what is known last may be that nothing is": (
        f"""WITH told AS (FROM (VALUES (0, 42), (60, {NONE})) AS t(ts, value))
            SELECT value FROM (VALUES (120)) AS asked(ts) ASOF LEFT JOIN told ON told.ts <= asked.ts""",
        [(None,)],
    ),
    "19027: an OR in the condition": (
        """WITH said AS (FROM (VALUES (7, 0, 'ads', 'denied'), (7, 0, 'feed', 'granted')) AS t(user_id, ts, purpose, state))
           SELECT state FROM (VALUES (7, 5, 'ads')) AS asked(user_id, ts, purpose) ASOF LEFT JOIN said
           ON said.user_id = asked.user_id AND said.ts <= asked.ts AND (said.purpose = asked.purpose OR asked.purpose = '*')""",
        [("denied",)],
    ),
    "10867: a filter below the join is of its side alone": (
        f"""WITH told AS (FROM (VALUES (0, 1), (1, {NONE}), (2, {NONE})) AS t(ts, value))
            SELECT a.ts, b.value FROM told AS a ASOF JOIN (SELECT * FROM told WHERE value IS NOT NULL) AS b ON a.ts >= b.ts
            ORDER BY 1""",
        [(0, 1), (1, 1), (2, 1)],
    ),
    "13899: a filter of the right side in the condition": (
        f"""WITH told AS (FROM (VALUES (0, 1), (1, {NONE}), (2, 5), (3, {NONE})) AS t(ts, value))
            SELECT a.ts, b.value FROM told AS a ASOF JOIN told AS b ON a.ts >= b.ts AND b.value IS NOT NULL ORDER BY 1""",
        [(0, 1), (1, 1), (2, 5), (3, 5)],
    ),
    "17046: a condition of the left side keeps its rows": (
        """SELECT a.n, b.n FROM (VALUES (1, 5), (2, 5)) AS a(n, ts) ASOF LEFT JOIN (VALUES (9, 3)) AS b(n, ts)
           ON b.ts <= a.ts AND a.n = 1 ORDER BY 1""",
        [(1, 9), (2, None)],
    ),
    "polars 18014: the order in which rows were written is none of its business": (
        """WITH told AS (FROM (VALUES (1, 30, 'c'), (2, 5, 'x'), (1, 10, 'a'), (2, 25, 'y'), (1, 20, 'b')) AS t(k, ts, value))
           SELECT asked.k, asked.ts, value FROM (VALUES (2, 24), (1, 29), (2, 4), (1, 10)) AS asked(k, ts)
           ASOF LEFT JOIN told ON told.k = asked.k AND told.ts <= asked.ts ORDER BY 1, 2""",
        [(1, 10, "a"), (1, 29, "b"), (2, 4, None), (2, 24, "x")],
    ),
    "21514: nothing on the right side": (
        """SELECT a.n, b.n FROM (VALUES (1, 5)) AS a(n, ts) ASOF LEFT JOIN (SELECT 1 AS n, 1 AS ts WHERE false) AS b
           ON b.ts <= a.ts""",
        [(1, None)],
    ),
    "23933: two keys that are not known, where they are meant to be one": (
        f"""SELECT b.n FROM (VALUES (1, {NONE}, 5)) AS a(n, k, ts) ASOF LEFT JOIN (VALUES (2, {NONE}, 3)) AS b(n, k, ts)
            ON a.k IS NOT DISTINCT FROM b.k AND a.ts >= b.ts""",
        [(2,)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "right"), CASES.values(), ids=CASES)
def test_what_was_known_at_a_moment_is_what_was_known_last(sql: str, right: list[tuple[object, ...]], tmp_path):
    with connect(tmp_path) as db:
        assert db.execute(sql).fetchall() == right
