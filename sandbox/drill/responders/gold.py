"""Knows what to ask: the scripted responder with the scenario's own evidence, and an estimate of the harm."""

from __future__ import annotations

import math
from typing import Any

from sandbox.drill.autopilot import respond
from sandbox.drill.env import DrillEnv
from sandbox.drill.queries import sql_time
from sandbox.drill.report import Report

SETTLED_S = 900.0  # world seconds: visits that began so long ago have had most of their clicks
LEAST_VISITS = 30  # on either side, or there is no estimate
_Z90 = 1.645  # of a two-sided 90 % interval

# Clicks by visit, before the onset and after it. Visits come whatever is shown to them, so clicks lost are
# visits times what each lost. A visit counts as after when it began after; one that spans both counts as
# neither, one that is still going on lacks clicks to come.
_CLICKS = """
WITH v AS (SELECT r.session_id, min(r.ts) AS t0, coalesce(max(c.clicks), 0) AS clicks
           FROM requests r LEFT JOIN (SELECT session_id, sum(clicked) AS clicks FROM ic GROUP BY 1) c
             USING (session_id)
           WHERE r.ts >= $began GROUP BY 1),
     s AS (SELECT clicks, CASE WHEN t0 < {onset} - {settled} THEN 'before' WHEN t0 >= {onset} AND t0 < $now - {settled}
                               THEN 'after' WHEN t0 >= {onset} THEN 'late' END AS side FROM v)
SELECT count(*) FILTER (side = 'before') AS n_before, avg(clicks) FILTER (side = 'before') AS before,
       var_samp(clicks) FILTER (side = 'before') AS before_var,
       count(*) FILTER (side = 'after') AS n_after, avg(clicks) FILTER (side = 'after') AS after,
       var_samp(clicks) FILTER (side = 'after') AS after_var,
       count(*) FILTER (side IN ('after', 'late')) AS visits
FROM s
"""


class Gold:
    """Concludes only what the running stack answers; left without its fault it finds nothing."""

    def respond(self, env: DrillEnv) -> Report:
        report, _ = respond(env.scenario, _Desk(env), env.began)
        if not report.incident or report.started_at is None:
            return report
        impact = clicks_lost(env, report.started_at)
        return Report.model_validate({**report.model_dump(), "impact": impact})


def clicks_lost(env: DrillEnv, onset_ts: float) -> dict[str, dict[str, float]]:
    """`impact` of a report: clicks lost since the onset, with a 90 % interval; empty where too few
    visits tell. onset_ts: world seconds since the epoch."""
    settled = f"INTERVAL {SETTLED_S:.0f} SECOND"
    row = env.observe(_CLICKS.format(onset=sql_time(onset_ts), settled=settled)).first
    if min(int(row["n_before"]), int(row["n_after"])) < LEAST_VISITS:
        return {}
    visits = int(row["visits"])
    lost = visits * (float(row["before"]) - float(row["after"]))
    error = visits * math.sqrt(
        float(row["before_var"]) / int(row["n_before"])
        + float(row["after_var"]) / int(row["n_after"])
    )
    return {"clicks": {"estimate": lost, "low": lost - _Z90 * error, "high": lost + _Z90 * error}}


class _Desk:
    """The scripted responder's desk, on an environment."""

    def __init__(self, env: DrillEnv) -> None:
        self._env = env

    def now(self) -> float:
        return self._env.now

    def wait_until(self, ts: float) -> None:
        self._env.wait(max(0.0, ts - self._env.now))

    def paged(self) -> float | None:
        return self._env.paged_ts

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        answer = self._env.observe(sql)
        return answer.columns, answer.rows

    def act(self, action: str) -> None:
        self._env.act(action)
