"""Privacy: only what a person allows, when it happened and still now; nothing of those who were erased.

Who allows what is a relation that is handed in (source.allowed: user, purpose, from, until), with laws and ages
worked into it; where nobody made one, the consent ledger is read as it stands. Nobody named: not allowed.
"""

from __future__ import annotations

from sandbox.pipeline.stages.relations import keep
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work

# A ledger's last word at a time counts: each entry holds until the next.
LEDGER = """SELECT user_id, purpose, effective_ts AS from_ts, until_ts FROM (
  SELECT user_id, purpose, state, effective_ts,
    lead(effective_ts) OVER (PARTITION BY user_id, purpose ORDER BY effective_ts, state) AS until_ts
  FROM source_consent_ledger) WHERE state = 'granted'"""


def allowed(work: Work, purpose: str) -> None:
    """Tables of the purpose: `allowed` (user_id, from_ts, until_ts), `allowed_now` (user_id, at as_of)."""
    source = "SELECT * FROM source_allowed" if work.reads[f"{SOURCE}allowed"] else LEDGER
    work.db.execute(
        f"CREATE OR REPLACE TEMP TABLE allowed AS SELECT user_id, from_ts, coalesce(until_ts, 'infinity'::DOUBLE) AS until_ts"
        f" FROM ({source}) WHERE purpose = $purpose",
        {"purpose": purpose},
    )
    work.db.execute(
        "CREATE OR REPLACE TEMP TABLE allowed_now AS SELECT DISTINCT user_id FROM allowed"
        " WHERE from_ts <= $as_of AND $as_of < until_ts",
        {"as_of": work.as_of},
    )


THEN = "SELECT 1 FROM allowed AS a WHERE a.user_id = t.user_id AND a.from_ts <= t.event_ts AND t.event_ts < a.until_ts"


def run(work: Work) -> Tally:
    allowed(work, work.config.privacy.purpose)
    erased = "SELECT user_id FROM source_tombstones" if work.reads[f"{SOURCE}tombstones"] else "SELECT 0 WHERE false"
    work.db.execute(f"CREATE TEMP TABLE erased AS {erased}")
    reason = (
        "CASE WHEN t.user_id IN (SELECT user_id FROM erased) THEN 'erased'"
        f" WHEN NOT EXISTS ({THEN}) THEN 'no_consent'"
        " WHEN t.user_id NOT IN (SELECT user_id FROM allowed_now) THEN 'consent_withdrawn' END"
    )
    return keep(work, "human", "allowed", reason)


STAGE = Stage(
    "privacy",
    ("impressions_human", "outcomes_human", *(f"{SOURCE}{s}" for s in ("consent_ledger", "allowed", "tombstones"))),
    ("impressions_allowed", "outcomes_allowed"),
    ("as_of", "privacy"),
    run,
    "only what people allow, when it happened and still now; the erased are gone",
)
