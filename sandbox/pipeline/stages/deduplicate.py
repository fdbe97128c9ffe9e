"""Deduplicate: one event counts once, however often and however late it is delivered again.

An outcome is known by its event id, an impression by request, item and place. Of several deliveries the one that
was known first is kept; no window: one that comes an hour or a week later is the same event.
"""

from __future__ import annotations

from sandbox.pipeline.stages.relations import keep
from sandbox.pipeline.stages.spec import Stage, Tally, Work

_KEYS = {"impressions": "request_id, item_id, position", "outcomes": "event_id"}


def run(work: Work) -> Tally:
    # Few events come twice: those are found, and the great table is only ever filtered, which keeps its order.
    for kind, key in _KEYS.items():
        file = work.reads[f"{kind}_in"][0]
        work.db.execute(
            f"CREATE VIEW {kind}_numbered AS"
            f" SELECT * RENAME (file_row_number AS row) FROM read_parquet('{file}', file_row_number = true);"
            f"CREATE TEMP TABLE again_{kind} AS SELECT row FROM ("
            f"  SELECT row, row_number() OVER (PARTITION BY {key} ORDER BY known_ts, event_ts, row) AS n"
            f"  FROM {kind}_numbered SEMI JOIN ("
            f"    SELECT {key} FROM {kind}_in GROUP BY ALL HAVING count(*) > 1) USING ({key})) WHERE n > 1"
        )
    reason = (
        "CASE WHEN is_outcome AND t.row IN (SELECT row FROM again_outcomes)"
        " OR NOT is_outcome AND t.row IN (SELECT row FROM again_impressions) THEN 'duplicate' END"
    )
    return keep(work, "numbered", "once", reason, columns="t.* EXCLUDE (row)")


STAGE = Stage(
    "deduplicate",
    ("impressions_in", "outcomes_in"),
    ("impressions_once", "outcomes_once"),
    (),
    run,
    "one event once, by its id, however late it comes again",
)
