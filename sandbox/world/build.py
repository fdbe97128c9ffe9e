"""Build a preset world: everything but the manifest's name and date follows from preset and seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base.catalogue import CREATOR_GROUPS, LANGUAGES, REGIONS, SENSITIVITIES, Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.progress import ProgressFn
from sandbox.base.worlds import WorldManifest
from sandbox.world.behaviour import Behaviour
from sandbox.world.history import HistoryTotals, write_history
from sandbox.world.items import Items, draw_blocks, draw_follows, draw_items, topic_prior
from sandbox.world.latent import Latent, Weights
from sandbox.world.population import Users, consent_table, draw_users, users_table
from sandbox.world.presets import HISTORY_END_TS, Preset
from sandbox.world.titles import creator_names, titles
from sandbox.world.words import TOPICS


def build(
    folder: Path, preset: Preset, *, name: str, content_hash: str, built: str, progress: ProgressFn
) -> WorldManifest:
    """Write the whole world into folder, an empty directory, its manifest last.

    built: ISO time, handed in. progress: called with what is being done and the share done.
    """
    public = folder / "public"
    public.mkdir(parents=True)
    progress("users and items", 0.0)
    prior = topic_prior(preset)
    users = draw_users(preset, prior)
    items = draw_items(preset, users, prior)
    follows = draw_follows(preset, users, items)
    catalogue = _catalogue(preset, users, items, follows)
    catalogue.save(public / "catalogue.npz")
    _write(public / "users.parquet", users_table(users))
    _write(public / "items.parquet", _items_table(preset, items))
    _write(public / "creators.parquet", _creators_table(preset, items, catalogue))
    _write(public / "consent_ledger.parquet", consent_table(preset, users))

    latent = _latent(preset, users, items)
    totals = write_history(
        public, preset, users, items, Behaviour(latent),
        lambda what, share: progress(what, 0.05 + 0.95 * (share or 0.0)),
    )  # fmt: skip
    replace(latent, user_satisfaction=totals.satisfaction).save(folder)
    manifest = _manifest(preset, totals, name=name, content_hash=content_hash, built=built)
    (folder / "world.json").write_text(manifest.model_dump_json(indent=1))
    progress("done", 1.0)
    return manifest


def _latent(preset: Preset, users: Users, items: Items) -> Latent:
    return Latent.neutral(
        seed=preset.seed,
        weights=Weights(),
        user_taste=users.taste,
        item_taste=items.taste,
        item_topics=items.topics,
        item_appeal=items.appeal,
        item_quality=items.quality,
        item_clickbait=items.clickbait,
        item_duration_s=items.duration_s,
        item_price=items.price,
        user_intent=users.intent,
        user_bias=users.bias,
        user_rate=users.rate,
        user_patience=users.patience,
        user_tz_h=users.tz_h,
    )


def _catalogue(preset: Preset, users: Users, items: Items, follows: tuple[np.ndarray, np.ndarray]) -> Catalogue:
    blocks = draw_blocks(preset, follows)
    known = np.round(0.25 * preset.users / items.creator_rank)  # Zipf with exponent 1
    counted = np.bincount(follows[1], minlength=preset.creators)
    return Catalogue(
        item_topics=items.topics,
        item_creator=items.creator,
        item_language=items.language,
        item_maturity=items.maturity,
        item_sensitivity=items.sensitivity,
        item_sens_score=items.sens_score,
        item_regions=items.regions,
        item_published_ts=items.published_ts,
        item_duration_s=items.duration_s,
        item_price=items.price,
        item_sponsored=items.sponsored,
        creator_group=items.creator_group,
        creator_followers=np.maximum(known, counted).astype(np.int32),
        user_region=users.region,
        user_language=users.language,
        user_age_band=users.age_band,
        user_gender=users.gender,
        user_personalised=users.personalised,
        user_created_ts=users.created_ts,
        follows_indptr=_indptr(follows[0], preset.users),
        follows_creator=follows[1],
        blocked_indptr=_indptr(blocks[0], preset.users),
        blocked_creator=blocks[1],
    )


def _indptr(row: np.ndarray, n: int) -> np.ndarray:
    """int64 [n + 1] of sorted row numbers."""
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)


def _items_table(preset: Preset, items: Items) -> pa.Table:
    topics = list(TOPICS)
    group = items.creator_group[items.creator]
    return pa.table(
        {
            "item_id": np.arange(preset.items, dtype=np.int32),
            "key": [f"i{i:06d}" for i in range(preset.items)],
            "title": titles(preset.seed, items.main_topic, items.clickbait),
            "creator_id": items.creator,
            "creator_group": [CREATOR_GROUPS[g] for g in group],
            "topics": [[topics[t] for t in np.argsort(-row)[: (row > 0).sum()]] for row in items.topics],
            "category": [topics[t] for t in items.topics.argmax(axis=1)],
            "lang": [LANGUAGES[c] for c in items.language],
            "sensitivity": [SENSITIVITIES[c] for c in items.sensitivity],
            "sens_score": items.sens_score,
            "sens_labelled_ts": items.published_ts + 600.0,  # the classifier runs within minutes
            "age_rating": items.maturity.astype(np.int32),
            "regions": [[r for b, r in enumerate(REGIONS) if bits >> b & 1] for bits in items.regions],
            "duration_s": items.duration_s,
            "price": items.price,
            "sponsored": items.sponsored,
            "in_stock": items.in_stock,
            "published_ts": items.published_ts,
        }
    )


def _creators_table(preset: Preset, items: Items, catalogue: Catalogue) -> pa.Table:
    return pa.table(
        {
            "creator_id": np.arange(preset.creators, dtype=np.int32),
            "name": creator_names(preset.seed, items.creator_topic),
            "creator_group": [CREATOR_GROUPS[g] for g in items.creator_group],
            "followers": catalogue.creator_followers,
        }
    )


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd")


def _manifest(preset: Preset, totals: HistoryTotals, *, name: str, content_hash: str, built: str) -> WorldManifest:
    return WorldManifest(
        name=name,
        source=preset.name,
        seed=preset.seed,
        users=preset.users,
        items=preset.items,
        creators=preset.creators,
        events=totals.outcomes,
        impressions=totals.impressions,
        has_negatives=True,
        history_start_ts=HISTORY_END_TS - preset.days * DAY_S,
        history_end_ts=HISTORY_END_TS,
        topics=list(TOPICS),
        content_hash=content_hash,
        built=built,
    )
