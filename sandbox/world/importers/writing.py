"""An imported world on disk, in the form of sandbox.base.worlds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base.catalogue import (
    AGE_BANDS,
    CREATOR_GROUPS,
    GENDERS,
    JURISDICTIONS,
    LANGUAGES,
    REGIONS,
    SENSITIVITIES,
    Catalogue,
)
from sandbox.base.streams import uniforms
from sandbox.world.importers.complete import Filled
from sandbox.world.importers.source import Log, Source
from sandbox.world.importers.truth import sessions

_SLATE = 20  # rows of one user at one time that count as one request
_MINORS = (0, 1)  # age bands that are treated as such: unknown and 13-17


def write_public(folder: Path, source: Source, filled: Filled, seed: int) -> tuple[int, int]:
    """Write the catalogue and every public table. Returns rows of impressions and of outcomes."""
    folder.mkdir(parents=True, exist_ok=True)
    catalogue = filled.catalogue
    catalogue.save(folder / "catalogue.npz")
    impressions, outcomes = history(source)
    tables = {
        "items": items_table(source, filled),
        "users": users_table(source, catalogue),
        "creators": creators_table(filled),
        "consent_ledger": consent_table(catalogue, seed),
        "impressions": impressions,
        "outcomes": outcomes,
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    return len(impressions), len(outcomes)


def history(source: Source) -> tuple[pa.Table, pa.Table]:
    """Impressions and outcomes of the log. Without negatives an impression is an interaction."""
    log = source.log
    session, request = sessions(log), _requests(log, alone=source.alone)
    position = positions(source)
    impressions = pa.table({
        "ts": log.ts, "request_id": request, "session_id": session,
        "user_id": log.user.astype(np.int32), "item_id": log.item.astype(np.int32),
        "position": position.astype(np.int16), "propensity": log.propensity.astype(np.float32),
    })  # fmt: skip
    # Where others are rated, a click without a rating must not pass for the lowest one.
    rated = not np.isnan(log.value).all()
    value = log.value if rated else np.ones(len(log), dtype=np.float32)
    clicked, liked = (np.flatnonzero(log.click), np.flatnonzero(log.click & (log.value >= source.like_from)))
    row = np.concatenate([clicked, liked])
    kind = np.concatenate([np.full(len(clicked), "click"), np.full(len(liked), "like")])
    order = np.lexsort((kind, row))
    row, kind = row[order], kind[order]
    outcomes = pa.table({
        "event_ts": log.ts[row], "ingest_ts": log.ts[row], "request_id": request[row],
        "session_id": session[row], "user_id": log.user[row].astype(np.int32),
        "item_id": log.item[row].astype(np.int32), "kind": pa.array(kind.tolist(), pa.string()),
        "value": value[row].astype(np.float32),
    })  # fmt: skip
    return impressions, outcomes


def positions(source: Source) -> np.ndarray:
    """int64 [n], from 1: as logged, else the place among the rows of the same request."""
    log = source.log
    place = _place_within(_requests(log, alone=source.alone))
    return np.where(log.position > 0, log.position, place)


def _requests(log: Log, *, alone: bool) -> np.ndarray:
    """int64 [n]: rows of one user at one time are one request, at most _SLATE of them, an item once."""
    if alone or not len(log):
        return np.arange(len(log), dtype=np.int64)
    begins = np.ones(len(log), dtype=bool)
    begins[1:] = (np.diff(log.user) != 0) | (np.diff(log.ts) != 0)
    whole = np.cumsum(begins) - 1
    begins |= _place_within(whole) % _SLATE == 1
    begins[1:] |= np.diff(log.item) == 0
    return np.asarray(np.cumsum(begins) - 1, dtype=np.int64)


def _place_within(group: np.ndarray) -> np.ndarray:
    """From 1, for rows of ascending groups."""
    return np.arange(len(group)) - np.searchsorted(group, group) + 1


def items_table(source: Source, filled: Filled) -> pa.Table:
    c, items = filled.catalogue, source.items
    names = np.array([*filled.topic_names, ""])
    known = c.item_topics.sum(axis=1) > 0
    main = np.where(known, c.item_topics.argmax(axis=1), len(names) - 1)
    titles = items.text("title")
    return pa.table(
        {
            "item_id": np.arange(c.n_items, dtype=np.int32),
            "key": items.key,
            "title": [t or f"item {key}" for t, key in zip(titles, items.key, strict=True)],
            "creator_id": c.item_creator,
            "creator_group": _names(CREATOR_GROUPS, c.creator_group[c.item_creator]),
            "topics": pa.array(
                [[filled.topic_names[t] for t in np.flatnonzero(row)] for row in c.item_topics > 0],
                pa.list_(pa.string()),
            ),
            "category": names[main].tolist(),
            "lang": _names(LANGUAGES, c.item_language),
            "sensitivity": _names(SENSITIVITIES, c.item_sensitivity),
            "sens_score": c.item_sens_score.astype(np.float64),
            "sens_labelled_ts": filled.sens_labelled_ts,
            "age_rating": c.item_maturity.astype(np.int32),
            "regions": pa.array(
                [[r for bit, r in enumerate(REGIONS) if mask >> bit & 1] for mask in c.item_regions.tolist()],
                pa.list_(pa.string()),
            ),
            "duration_s": c.item_duration_s.astype(np.float64),
            "price": c.item_price.astype(np.float64),
            "sponsored": c.item_sponsored,
            "in_stock": np.ones(c.n_items, dtype=bool),
            "published_ts": c.item_published_ts,
        }
    )


def users_table(source: Source, catalogue: Catalogue) -> pa.Table:
    region = _names(REGIONS, catalogue.user_region)
    return pa.table(
        {
            "user_id": np.arange(catalogue.n_users, dtype=np.int32),
            "key": source.users.key,
            "region": region,
            "jurisdiction": [JURISDICTIONS[name] for name in region],
            "lang": _names(LANGUAGES, catalogue.user_language),
            "age_band": _names(AGE_BANDS, catalogue.user_age_band),
            "gender": _names(GENDERS, catalogue.user_gender),
            "created_ts": catalogue.user_created_ts,
        }
    )


def creators_table(filled: Filled) -> pa.Table:
    c = filled.catalogue
    return pa.table(
        {
            "creator_id": np.arange(len(c.creator_group), dtype=np.int32),
            "name": filled.creator_name,
            "creator_group": _names(CREATOR_GROUPS, c.creator_group),
            "followers": c.creator_followers.astype(np.int64),
        }
    )


def consent_table(catalogue: Catalogue, seed: int) -> pa.Table:
    """One row per user and purpose, from when the account was made."""
    who = np.arange(catalogue.n_users)
    minor = np.isin(catalogue.user_age_band, _MINORS)
    granted = {
        "personalisation": catalogue.user_personalised,
        "sensitive": (uniforms(seed, "fill/consent-sensitive", who) < 0.45) & ~minor,
        "ads_profiling": (uniforms(seed, "fill/consent-ads", who) < 0.6) & ~minor,
    }
    law = [JURISDICTIONS[name] for name in _names(REGIONS, catalogue.user_region)]
    n, purposes = len(who), len(granted)
    return pa.table(
        {
            "user_id": np.tile(who, purposes).astype(np.int32),
            "purpose": np.repeat(list(granted), n).tolist(),
            "state": np.where(np.concatenate(list(granted.values())), "granted", "denied").tolist(),
            "effective_ts": np.tile(catalogue.user_created_ts, purposes),
            "jurisdiction": law * purposes,
            "signal": ["import"] * (n * purposes),
        }
    )


def _names(vocabulary: tuple[str, ...], codes: np.ndarray) -> list[str]:
    return [vocabulary[code] for code in codes.tolist()]
