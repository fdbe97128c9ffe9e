"""A world on disk: its manifest and its public files, the only part that serving and training may read.

    WORLD/world.json               this manifest
    WORLD/public/catalogue.npz     arrays for serving (sandbox.base.catalogue)
    WORLD/public/*.parquet         items, users, creators, consent_ledger, impressions, outcomes
    WORLD/latent/                  ground truth: only sandbox.world reads it
    WORLD/registry/                models, indexes and feature snapshots (sandbox.pipeline)

Columns of the history (times are world seconds since the epoch, float64):
    impressions  ts, request_id int64, session_id int64, user_id int32, item_id int32,
                 position int16 (from 1), propensity float32 (NaN where unknown)
    outcomes     event_ts, ingest_ts, request_id int64, session_id int64, user_id int32,
                 item_id int32, kind string (click, dwell, like, hide, conversion), value float32
    items        item_id, key, title, creator_id, creator_group, topics list<string>, category, lang,
                 sensitivity, sens_score, sens_labelled_ts, age_rating, regions list<string>,
                 duration_s, price, sponsored, in_stock, published_ts
    users        user_id, key, region, jurisdiction, lang, age_band, gender, created_ts
    creators     creator_id, name, creator_group, followers
    consent_ledger  user_id, purpose, state, effective_ts, jurisdiction, signal
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ValidationError

from sandbox.base import paths
from sandbox.base.errors import SandboxError

FORMAT = 1


class WorldManifest(BaseModel, extra="forbid"):
    """WORLD/world.json."""

    format: int = FORMAT
    name: str
    source: str  # preset name, or kind of the import
    seed: int
    users: int
    items: int
    creators: int
    events: int  # rows of outcomes
    impressions: int
    has_negatives: bool  # False: the log holds only what users chose, training samples negatives
    history_start_ts: float
    history_end_ts: float  # a live run's world time begins here
    topics: list[str]  # names of the topic slots in use, at most N_TOPICS
    content_hash: str  # of everything that the build was made from
    built: str  # ISO time of the build
    fit: dict[str, float] = {}  # imports: how well the fitted behaviour does on held-out interactions


def world_dir(name: str) -> Path:
    return paths.worlds() / name


def load_manifest(name: str) -> WorldManifest:
    """Raises WORLD-001 when there is no such world, WORLD-003 when its manifest cannot be read."""
    path = world_dir(name) / "world.json"
    if not path.exists():
        there = sorted(p.parent.name for p in paths.worlds().glob("*/world.json"))
        raise SandboxError(
            "WORLD-001",
            where="world",
            seen=name,
            expected=f"one of {there}",
            fix=f"build it: sandbox world build {name}; or import it: sandbox world import --help",
        )
    try:
        return WorldManifest.model_validate(json.loads(path.read_text()))
    except (ValueError, ValidationError) as error:
        raise SandboxError(
            "WORLD-003",
            where=str(path),
            seen=str(error),
            expected="a manifest of format 1",
            fix="build or import the world anew with --force",
        ) from error
