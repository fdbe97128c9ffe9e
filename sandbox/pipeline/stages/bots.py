"""Bot filter: users whose behaviour no person has are left out, whole."""

from __future__ import annotations

from sandbox.pipeline.stages.relations import keep
from sandbox.pipeline.stages.spec import Stage, Tally, Work

_FOUND = """
WITH hours AS (
  SELECT user_id, max(n) AS most FROM (
    SELECT user_id, floor(event_ts / 3600), count(DISTINCT request_id) AS n FROM impressions_once GROUP BY 1, 2) GROUP BY 1),
days AS (
  SELECT user_id, max(n) AS most FROM (
    SELECT user_id, floor(event_ts / 86400), count(*) AS n FROM impressions_once GROUP BY 1, 2) GROUP BY 1),
shown AS (SELECT user_id, count(*) AS n FROM impressions_once GROUP BY 1),
clicks AS (SELECT user_id, count(*) AS n FROM outcomes_once WHERE kind = 'click' GROUP BY 1),
judged AS (
  SELECT user_id, CASE
    WHEN hours.most > $requests_per_hour THEN 'requests_per_hour'
    WHEN days.most > $impressions_per_day THEN 'impressions_per_day'
    WHEN shown.n >= $click_share_from AND coalesce(clicks.n, 0) >= $click_share * shown.n THEN 'click_share' END AS rule,
    hours.most AS requests_in_an_hour, days.most AS impressions_in_a_day, shown.n AS impressions,
    coalesce(clicks.n, 0) AS clicks
  FROM shown JOIN hours USING (user_id) JOIN days USING (user_id) LEFT JOIN clicks USING (user_id))
SELECT * FROM judged WHERE rule IS NOT NULL AND $judged ORDER BY user_id"""


def run(work: Work) -> Tally:
    # A log of choices alone has no rates to judge: whoever rated a hundred films in an hour is a person.
    values = {**work.config.bots.model_dump(), "judged": work.has_negatives}
    work.write("bots", _FOUND, **values)
    work.db.execute(f"CREATE VIEW bots AS SELECT user_id FROM read_parquet('{work.file('bots')}')")
    return keep(work, "once", "human", "CASE WHEN t.user_id IN (SELECT user_id FROM bots) THEN 'bot' END")


STAGE = Stage(
    "bots",
    ("impressions_once", "outcomes_once"),
    ("impressions_human", "outcomes_human", "bots"),
    ("bots", "has_negatives"),
    run,
    "users who behave as no person does are left out, whole",
)
