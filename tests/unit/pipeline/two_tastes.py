"""A world small enough to be trained on in a second: two tastes, half of the users each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base.catalogue import Catalogue
from sandbox.base.features import N_TOPICS

USERS, ITEMS, CREATORS, DAYS, START = 60, 80, 10, 6, 1_770_000_000.0
END = START + DAYS * 86_400.0


def catalogue() -> Catalogue:
    """Items 0..39 are of topic 0, the others of topic 1; the last ten users may not be known."""
    topics = np.zeros((ITEMS, N_TOPICS), np.float32)
    topics[: ITEMS // 2, 0] = topics[ITEMS // 2 :, 1] = 1.0
    none = np.zeros(0, np.int32)
    return Catalogue(
        item_topics=topics,
        item_creator=(np.arange(ITEMS) % CREATORS).astype(np.int32),
        item_language=np.zeros(ITEMS, np.int8),
        item_maturity=np.zeros(ITEMS, np.int8),
        item_sensitivity=np.zeros(ITEMS, np.int8),
        item_sens_score=np.full(ITEMS, 0.1, np.float32),
        item_regions=np.where(np.arange(ITEMS) == 0, 0b10, 0b1111111).astype(np.uint16),
        item_published_ts=np.full(ITEMS, START - 86_400.0),
        item_duration_s=np.full(ITEMS, 120.0, np.float32),
        item_price=np.zeros(ITEMS, np.float32),
        item_sponsored=np.zeros(ITEMS, bool),
        creator_group=(np.arange(CREATORS) % 2).astype(np.int8),
        creator_followers=np.arange(CREATORS, dtype=np.int32),
        user_region=(np.arange(USERS) % 2).astype(np.int8),
        user_language=np.zeros(USERS, np.int8),
        user_age_band=np.full(USERS, 3, np.int8),
        user_gender=np.ones(USERS, np.int8),
        user_personalised=np.arange(USERS) < USERS - 10,
        user_created_ts=np.full(USERS, START - 10 * 86_400.0),
        follows_indptr=np.zeros(USERS + 1, np.int64),
        follows_creator=none,
        blocked_indptr=np.zeros(USERS + 1, np.int64),
        blocked_creator=none,
    )


def tables(seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Impressions and outcomes: three slates of five a day; taste decides between .45 and .05."""
    rng = np.random.default_rng(seed)
    n_requests, k = USERS * DAYS * 3, 5
    user = np.repeat(np.arange(USERS), DAYS * 3)
    day = np.tile(np.repeat(np.arange(DAYS), 3), USERS)
    nth = np.tile(np.arange(3), USERS * DAYS)
    ts = START + day * 86_400 + 30_000 + nth * 120 + user * 7.0
    items = np.stack([rng.permutation(ITEMS)[:k] for _ in range(n_requests)])
    likes_it = (items >= ITEMS // 2) == (user >= USERS // 2)[:, None]
    click = rng.random((n_requests, k)) < np.where(likes_it, 0.45, 0.05)
    request = np.arange(n_requests) + 1000
    shown = {
        "ts": np.repeat(ts, k),
        "request_id": np.repeat(request, k),
        "session_id": np.repeat(user * 1000 + day, k),
        "user_id": np.repeat(user, k).astype(np.int32),
        "item_id": items.ravel().astype(np.int32),
        "position": np.tile(np.arange(1, k + 1), n_requests).astype(np.int16),
        "propensity": np.ones(n_requests * k, np.float32),
    }
    at = np.flatnonzero(click.ravel())
    ids = ("request_id", "session_id", "user_id", "item_id")
    clicks = {name: shown[name][at] for name in ids}
    clicks |= {
        "event_ts": shown["ts"][at] + 5,
        "kind": np.full(len(at), "click"),
        "value": np.ones(len(at), np.float32),
    }
    dwells = clicks | {"kind": np.full(len(at), "dwell"), "value": rng.uniform(1, 80, len(at)).astype(np.float32)}
    bought = {name: column[::7] for name, column in clicks.items()}
    bought |= {"event_ts": bought["event_ts"] + 3_600, "kind": np.full(len(bought["user_id"]), "conversion")}
    parts = (clicks, dwells, bought)
    outcomes = {name: np.concatenate([part[name] for part in parts]) for name in clicks}
    outcomes["ingest_ts"] = outcomes["event_ts"]
    return shown, outcomes


def write_world(where: Path, shown: dict[str, np.ndarray], outcomes: dict[str, np.ndarray], **manifest: object) -> Path:
    (where / "public").mkdir(parents=True)
    catalogue().save(where / "public" / "catalogue.npz")
    pq.write_table(pa.table(shown), where / "public" / "impressions.parquet")
    pq.write_table(pa.table(outcomes), where / "public" / "outcomes.parquet")
    document = {
        "name": "two-tastes", "source": "test", "seed": 1, "users": USERS, "items": ITEMS, "creators": CREATORS,
        "events": len(outcomes["kind"]), "impressions": len(shown["ts"]), "has_negatives": True,
        "history_start_ts": START, "history_end_ts": END, "topics": ["left", "right"],
        "content_hash": "one", "built": "2026-01-01T00:00:00",
    }  # fmt: skip
    (where / "world.json").write_text(json.dumps(document | manifest))
    return where
