"""The audit's questions, one SQL each. Each answers (jurisdiction, age_band, purpose, user_id, n, hours, model).

Relations they stand on (times: world seconds since the epoch):
    people (user_id, region, jurisdiction, age_band)         ledger (user_id, purpose, state, ts, jurisdiction, signal)
    allowed (user_id, purpose, from_ts, until_ts)            region_laws (region, jurisdiction)
    processed (user_id, ts, model)    what was derived for the purpose `personalisation`, and when
    served (user_id, ts, model)       requests that were answered by what is known of the person
    asked (user_id, region, ts)       where requests were said to come from
    dated (user_id, ts)               events that are kept
    limits (jurisdiction, days)       how long they may be
"""

from __future__ import annotations

_NOT_ALLOWED = """
SELECT p.jurisdiction, p.age_band, 'personalisation' AS purpose, t.user_id, count(*) AS n,
       max((t.ts - t.no_ts) / 3600) AS hours, t.model
  FROM (SELECT *, (SELECT max(l.ts) FROM ledger AS l WHERE l.user_id = s.user_id AND l.purpose = 'personalisation'
                      AND l.state = 'denied' AND l.ts <= s.ts) AS no_ts FROM {table} AS s) AS t
  JOIN people AS p USING (user_id)
 WHERE NOT EXISTS (SELECT 1 FROM allowed AS a WHERE a.user_id = t.user_id AND a.purpose = 'personalisation'
                      AND a.from_ts <= t.ts AND t.ts < a.until_ts)
 GROUP BY ALL
"""

# $now: the clock, world seconds. hours: how long after the no; of what is kept, how old it is.
QUESTIONS: dict[str, str] = {
    "processed-after-withdrawal": _NOT_ALLOWED.format(table="processed"),
    "served-without-consent": _NOT_ALLOWED.format(table="served"),
    "minor-profiled-for-ads": """
SELECT p.jurisdiction, p.age_band, l.purpose, l.user_id, count(*) AS n, max(($now - l.ts) / 3600) AS hours, NULL AS model
  FROM ledger AS l JOIN people AS p USING (user_id)
  JOIN policy_lines AS b ON b.jurisdiction = p.jurisdiction AND b.age_band = p.age_band AND b.purpose = l.purpose
 WHERE l.purpose = 'ads_profiling' AND l.state = 'granted' AND l.ts <= $now AND b.basis = 'never'
 GROUP BY ALL
""",
    "kept-too-long": """
SELECT p.jurisdiction, p.age_band, NULL AS purpose, t.user_id, count(*) AS n, max(($now - t.ts) / 3600) AS hours,
       NULL AS model
  FROM dated AS t JOIN people AS p USING (user_id) JOIN limits AS k USING (jurisdiction)
 WHERE t.ts < $now - (SELECT min(days) FROM limits) * 86400 AND t.ts < $now - k.days * 86400
 GROUP BY ALL
""",
    "wrong-jurisdiction": """
SELECT r.jurisdiction, p.age_band, 'personalisation' AS purpose, p.user_id, sum(w.n) AS n,
       max(($now - w.ts) / 3600) AS hours, NULL AS model
  FROM people AS p JOIN region_laws AS r USING (region) JOIN (
    SELECT user_id, jurisdiction, NULL AS region, NULL AS ts, 1 AS n FROM people
    UNION ALL SELECT user_id, jurisdiction, NULL, ts, 1 FROM ledger
    UNION ALL SELECT user_id, NULL, region, ts, 1 FROM asked
  ) AS w USING (user_id)
 WHERE w.jurisdiction <> r.jurisdiction OR w.region <> p.region
 GROUP BY ALL
""",
}

# A lake's tables as the questions want them. TIMESTAMPs become seconds.
LAKE = """
CREATE TEMP TABLE people AS SELECT user_id, home_region AS region, jurisdiction, age_band FROM users;
CREATE TEMP TABLE ledger AS SELECT user_id, purpose, state, epoch(effective_ts) AS ts, jurisdiction, signal FROM consent_ledger;
CREATE TEMP TABLE served AS
  SELECT user_id, epoch(ts) AS ts, model_version AS model FROM requests
   WHERE coalesce(encoder_version, '') <> '' OR feature_age_s IS NOT NULL OR session_age_s IS NOT NULL;
CREATE TEMP TABLE processed AS
  SELECT t.user_id, coalesce(epoch(max(r.finished)), epoch(max(t.feature_as_of))) AS ts, t.model_version AS model
    FROM training_rows AS t LEFT JOIN train_runs AS r USING (model_version)
   WHERE t.user_id IS NOT NULL GROUP BY t.user_id, t.model_version, t.item_id, t.event_ts, t.label_kind
  UNION ALL SELECT entity_id::BIGINT, epoch(as_of), NULL FROM (SELECT DISTINCT entity_id, as_of FROM offline_features WHERE entity = 'user')
  UNION ALL SELECT entity_id::BIGINT, epoch(ts), NULL
    FROM (SELECT DISTINCT entity_id, ts, view FROM served_features WHERE entity = 'user' AND status = 'PRESENT');
CREATE TEMP TABLE asked AS SELECT user_id, region, epoch(ts) AS ts FROM requests;
CREATE TEMP TABLE dated AS SELECT user_id, epoch(ts) AS ts FROM requests
  UNION ALL SELECT user_id, epoch(ts) FROM impressions UNION ALL SELECT user_id, epoch(event_ts) FROM outcomes;
"""
