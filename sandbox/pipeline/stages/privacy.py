"""Privacy: only what a person allows, when it happened and still now; nothing of those who were erased.

Who allows what is handed in (Consent), with laws and ages worked into it. Nobody named: not allowed.
"""

from __future__ import annotations

import pyarrow as pa

from sandbox.pipeline.stages.relations import keep
from sandbox.pipeline.stages.sources import CONSENT
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work


def allow(work: Work, purpose: str) -> None:
    """Tables of the purpose: `allowed` (user_id, from_ts, until_ts), `allowed_now` (user_id, at as_of)."""
    work.db.register("handed_in", work.consent.allowed(work.as_of))
    work.db.execute(
        "CREATE TEMP TABLE allowed AS SELECT user_id, from_ts, coalesce(until_ts, 'infinity'::DOUBLE) AS until_ts"
        " FROM handed_in WHERE purpose = $purpose",
        {"purpose": purpose},
    )
    work.db.execute(
        "CREATE TEMP TABLE allowed_now AS SELECT DISTINCT user_id FROM allowed"
        " WHERE from_ts <= $as_of AND $as_of < until_ts",
        {"as_of": work.as_of},
    )


THEN = "SELECT 1 FROM allowed AS a WHERE a.user_id = t.user_id AND a.from_ts <= t.event_ts AND t.event_ts < a.until_ts"


def run(work: Work) -> Tally:
    allow(work, work.config.privacy.purpose)
    work.db.register("erased", pa.table({"user_id": work.consent.erased()}))
    reason = (
        "CASE WHEN t.user_id IN (SELECT user_id FROM erased) THEN 'erased'"
        f" WHEN NOT EXISTS ({THEN}) THEN 'no_consent'"
        " WHEN t.user_id NOT IN (SELECT user_id FROM allowed_now) THEN 'consent_withdrawn' END"
    )
    return keep(work, "human", "allowed", reason)


STAGE = Stage(
    "privacy",
    ("impressions_human", "outcomes_human", f"{SOURCE}{CONSENT}"),
    ("impressions_allowed", "outcomes_allowed"),
    ("as_of", "privacy"),
    run,
    "only what people allow, when it happened and still now; the erased are gone",
)
