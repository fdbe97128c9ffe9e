"""Sensitivity: which items are sensitive, as far as a noisy classifier and people who review can tell by now.

An item's label is its score against a threshold; scores that nearly reach it wait for a person, whose word stands
from then on. Events with sensitive items are used only of those who allow it, and never of minors.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox.base.catalogue import AGE_BANDS, REGIONS
from sandbox.base.streams import uniforms
from sandbox.pipeline.stages import privacy
from sandbox.pipeline.stages.relations import keep
from sandbox.pipeline.stages.settings import Sensitivity
from sandbox.pipeline.stages.sources import CONSENT
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work

SURFACE = "training"  # the thresholds that hold here


def threshold(settings: Sensitivity, surface: str, region: str, age_band: str) -> float:
    """The strictest that fits; 1.01, which no score reaches, where none does."""
    fitting = [
        one.at_least
        for one in settings.thresholds
        if one.surface in (None, surface) and one.region in (None, region) and one.age_band in (None, age_band)
    ]
    return min(fitting, default=1.01)


def run(work: Work) -> Tally:
    settings = work.config.sensitivity
    _label(work, settings)
    _limits(work, settings)
    privacy.allow(work, settings.purpose)
    reason = (
        "CASE WHEN NOT ((l.state = 'confirmed' OR l.score >= limits.at_least) AND l.state <> 'cleared') THEN NULL"
        f" WHEN limits.age_band = '13-17' THEN 'sensitive_of_a_minor'"
        f" WHEN NOT EXISTS ({privacy.THEN}) OR t.user_id NOT IN (SELECT user_id FROM allowed_now)"
        " THEN 'sensitive_without_consent' END"
    )
    joins = ("JOIN item_sensitivity AS l USING (item_id)", "JOIN limits ON limits.user_id = t.user_id")
    return keep(work, "allowed", "kept", reason, joins)


def _label(work: Work, settings: Sensitivity) -> None:
    """item_sensitivity: what the classifier says, and what people who looked since then say."""
    rows = work.db.execute(
        "SELECT item_id, sens_score, sensitivity <> 'none' AS is_so, sens_labelled_ts FROM source_items ORDER BY item_id"
    ).fetchnumpy()
    item, score, labelled = rows["item_id"], rows["sens_score"].astype(np.float64), rows["sens_labelled_ts"]
    overall = threshold(settings, SURFACE, "", "")
    queued = (score >= settings.review_from) & (score < overall)
    waits_s = -np.log1p(-uniforms(work.config.seed, "sensitivity review", item)) * settings.review_hours * 3_600.0
    answered = queued & (labelled + waits_s < work.as_of)
    is_so = rows["is_so"].astype(bool)
    state = np.select(
        [answered & is_so, answered & ~is_so, queued], ["confirmed", "cleared", "waiting"], default="classified"
    )
    known = np.where(answered, labelled + waits_s, labelled)
    table = pa.table(
        {"item_id": item, "score": score, "sensitive": np.where(answered, is_so, score >= overall), "state": state.astype(str),
         "labelled_ts": labelled, "known_ts": known}
    )  # fmt: skip
    work.db.register("labelled", table)
    work.write("item_sensitivity", "SELECT * FROM labelled ORDER BY item_id")
    work.db.execute(f"CREATE VIEW item_sensitivity AS SELECT * FROM read_parquet('{work.file('item_sensitivity')}')")


def _limits(work: Work, settings: Sensitivity) -> None:
    """A row per user: the threshold that holds for region and age."""
    catalogue = work.catalogue
    grid = np.array([[threshold(settings, SURFACE, region, band) for band in AGE_BANDS] for region in REGIONS])
    table = pa.table(
        {
            "user_id": np.arange(catalogue.n_users, dtype=np.int64),
            "at_least": grid[catalogue.user_region, catalogue.user_age_band],
            "age_band": np.array(AGE_BANDS)[catalogue.user_age_band],
        }
    )
    work.db.register("limits", table)


STAGE = Stage(
    "sensitivity",
    ("impressions_allowed", "outcomes_allowed", f"{SOURCE}items", f"{SOURCE}catalogue", f"{SOURCE}{CONSENT}"),
    ("impressions_kept", "outcomes_kept", "item_sensitivity"),
    ("as_of", "seed", "sensitivity"),
    run,
    "items labelled by classifier and review; events with sensitive ones only of those who allow it",
)
