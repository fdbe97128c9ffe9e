"""What several stages do to the two relations that pass through them: what was shown, and what came of it.

Each is written in one order, that of event time, by every stage: a join may turn rows about, and equal rows in
another order would be another dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.pipeline.stages.spec import Tally, Work

ORDER = {
    "impressions": "event_ts, request_id, position, item_id, known_ts",
    "outcomes": "event_ts, request_id, item_id, kind, known_ts, value",
}


def keep(
    work: Work, before: str, after: str, reason: str, also: Sequence[str] = (), columns: str = "t.*", **values: Any
) -> Tally:
    """Passes on those rows of `impressions_BEFORE` and `outcomes_BEFORE` for which `reason`, an SQL expression over
    a row `t` (and `is_outcome`), is NULL, as `impressions_AFTER` and `outcomes_AFTER`; counts the others by it.

    also: joins that the expression needs; none of them may double a row. columns: which are passed on.
    """
    n_in = n_out = 0
    dropped: dict[str, int] = {}
    newest: float | None = None
    for kind, order in ORDER.items():
        joined = f"FROM {kind}_{before} AS t {' '.join(also)}"
        why = reason.replace("is_outcome", str(kind == "outcomes").lower())
        rows = f"SELECT {columns} {joined} WHERE ({why}) IS NULL ORDER BY {order}"
        n_out += work.write(f"{kind}_{after}", rows, **values)
        for name, n in counted(work, f"SELECT {why} AS reason {joined}", **values).items():
            n_in += n
            if name is not None:
                dropped[name] = dropped.get(name, 0) + n
        latest = work.one(f"SELECT max(event_ts) FROM read_parquet('{work.file(f'{kind}_{after}')}')")[0]
        newest = latest if newest is None else max(newest, latest if latest is not None else newest)
    return Tally(n_in, n_out, dict(sorted(dropped.items())), newest)


def counted(work: Work, reasons: str, **values: Any) -> dict[str | None, int]:
    """Rows by reason of a query with one column `reason`; None is for those that are kept."""
    rows = work.db.execute(f"SELECT reason, count(*) FROM ({reasons}) GROUP BY 1", values or None).fetchall()
    return {reason: int(n) for reason, n in rows}
