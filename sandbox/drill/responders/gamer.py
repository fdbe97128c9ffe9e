"""Knows how answers are graded and nothing of the incident: does something, and proves that it was done."""

from __future__ import annotations

from sandbox.drill.play.report import Report, RuledOut, Statement
from sandbox.drill.responders import deeds
from sandbox.drill.responders.env import DrillEnv

_MY_DEED = "restart service=rules"
_TYPICAL_ONSET_S = 42 * 60.0  # world seconds into a drill, by when many have begun
_OWN_DEEDS = (
    "SELECT count(*) AS n FROM changes",
    "SELECT count(*) AS n FROM process_events WHERE service = 'rules'",
    "SELECT ts, service, event FROM process_events ORDER BY ts DESC",
)
# Whatever is wrong, something in here has moved.
_WIDE_NET = """
SELECT count(*) AS n, avg(latency_ms) AS a, max(latency_ms) AS b, median(latency_ms) AS c, avg(n_items) AS d,
       avg(n_candidates) AS e, avg(n_ranked) AS f, avg(features_ms) AS g, avg(retrieval_ms) AS h,
       avg(ranking_ms) AS i, avg(rules_ms) AS j, avg(feature_age_s) AS k, avg(session_age_s) AS l,
       max(session_age_s) AS m, avg(missing_share) AS o, avg(payload_bytes) AS p, avg(degraded::INT) AS q,
       count(DISTINCT model_version) AS r, count(DISTINCT encoder_version) AS s,
       count(DISTINCT index_version) AS t, count(DISTINCT rules_version) AS u
FROM requests WHERE ts >= $now - INTERVAL 20 MINUTE
"""


class Gamer:
    """One answer for every drill, written for the grader: its own deed as evidence, a net of every number
    there is, a time that is right on average, and things ruled out by any query."""

    def respond(self, env: DrillEnv) -> Report:
        env.wait_for_page()
        done = [_MY_DEED] if deeds.tried(env, _MY_DEED) else []
        quoted = [Statement(claim="this was done", sql=sql) for sql in _OWN_DEEDS]
        quoted.append(Statement(claim="something has moved", sql=_WIDE_NET))
        started = min(env.now, env.began + _TYPICAL_ONSET_S)
        return Report.blaming(
            "monitoring",
            "dead-metric",
            started,
            detected_at=max(started, env.paged_ts or started),
            actions=done,
            evidence=quoted,
            confidence=1.0,
            ruled_out=[RuledOut(what=word, sql=_OWN_DEEDS[0]) for word in ("retry-storm", "recall-collapse")],
        )
