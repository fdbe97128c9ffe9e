"""Monitor: what a stack logged while it served, beside what this run makes of the same history.

A feature is made twice, by the batch job that serving reads and by the pipeline that models are trained on. Where a row
was served as of a moment at which the pipeline took the same row, the two values are compared, one by one.
"""

from __future__ import annotations

from sandbox.base.features import ITEM_STATS, USER_PROFILE, FeatureView
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work

_VIEWS = ((USER_PROFILE, "user", "user_id"), (ITEM_STATS, "item", "item_id"))
NEAR_S = 1.0  # between the two moments: the same one, as clocks write it down
OFF = 0.1  # of the feature's spread: further apart, and a model sees another value
_NONE = (
    "SELECT ''::VARCHAR AS view, ''::VARCHAR AS feature, 0::BIGINT AS n, 0::DOUBLE AS off_share, 0::DOUBLE AS shift, "
    "0::DOUBLE AS correlation "
    "WHERE FALSE"
)


def run(work: Work) -> Tally:
    if not work.reads[f"{SOURCE}served"]:  # nobody has served anything that could be looked at
        work.write("served_skew", _NONE)
        return Tally(0, 0)
    rows_in = int(work.one("SELECT count(*) FROM source_served")[0])
    recomputed = " UNION ALL ".join(_long(*one) for one in _VIEWS)
    work.db.execute(f"""
        CREATE TABLE beside AS
        SELECT s.view, s.feature, s.value AS served, r.value AS recomputed
        FROM (SELECT DISTINCT view, feature, entity, entity_id, value, feature_event_ts FROM source_served
              WHERE status = 'PRESENT') AS s
        JOIN ({recomputed}) AS r ON r.view = s.view AND r.feature = s.feature AND r.entity_id = s.entity_id
          AND abs(r.as_of - epoch(s.feature_event_ts)) <= {NEAR_S}
    """)
    compared = int(work.one("SELECT count(*) FROM beside")[0])
    n = work.write("served_skew", f"""
        SELECT view, feature, count(*) AS n,
               avg((abs(served - recomputed) > {OFF} * greatest(spread, 1e-9) + 1e-6)::INT)::DOUBLE AS off_share,
               (avg(served - recomputed) / greatest(any_value(spread), 1e-9))::DOUBLE AS shift,
               (CASE WHEN stddev_pop(served) > 0 AND any_value(spread) > 0 THEN corr(served, recomputed) END)::DOUBLE
                 AS correlation
        FROM beside JOIN (SELECT view, feature, stddev_pop(recomputed) AS spread FROM beside GROUP BY ALL) USING (view, feature)
        GROUP BY ALL ORDER BY view, feature
    """)  # fmt: skip
    return Tally(rows_in, n, {"nothing_beside_it": rows_in - compared} if rows_in > compared else {})


def _long(view: FeatureView, entity: str, key: str) -> str:
    """A row for each value: view, feature, entity_id, as_of, value."""
    listed = ", ".join(view.columns)
    return (
        f"SELECT '{view.name}' AS view, feature, {key}::VARCHAR AS entity_id, as_of, value::DOUBLE AS value "
        f"FROM (SELECT {key}, as_of, {listed} FROM {view.name}) UNPIVOT (value FOR feature IN ({listed}))"
    )


STAGE = Stage(
    "monitor",
    ("roll_out", "user_profile", "item_stats", f"{SOURCE}served"),
    ("served_skew",),
    (),
    run,
    "features that a stack served, beside what this run makes of the same moment",
)
