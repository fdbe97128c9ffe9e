"""The slice of users and items that a run keeps an eye on: who of them asked, and what of it was shown.

A slice is a segment, column -> value or values, as reports name whom something hit. Of what only requests
say (surface, client, depth) nothing is known beforehand: no slice is cut by those columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from sandbox.base import artefacts
from sandbox.base.catalogue import Catalogue
from sandbox.base.worlds import WorldManifest
from sandbox.runtime.publish import user_traits

Segment = Mapping[str, str | list[str]]

ITEM_COLUMNS = ("lang", "creator_group", "category", "sensitivity", "age_rating")
_OF_USERS = {"region": "region", "user_lang": "lang", "age_band": "age_band"}  # -> column of users.parquet
_TRAITS = ("segment", "main_topic")
USER_COLUMNS = (*_OF_USERS, *_TRAITS, "personalised", "user_bucket")
BUCKETS = 100


@dataclass(frozen=True)
class Slice:
    """users: bool [users], who is in it; None for everyone. items: bool [items], None for all of them."""

    users: np.ndarray | None = None
    items: np.ndarray | None = None


EVERYONE = Slice()


def slice_of(segments: Iterable[Segment], world_dir: Path, catalogue: Catalogue, manifest: WorldManifest) -> Slice:
    """What any of the segments holds. A side of which one of them says nothing is whole."""
    masks = [_masks(segment, world_dir, catalogue, manifest) for segment in segments]
    if not masks:
        return EVERYONE
    users, items = zip(*masks, strict=True)
    return Slice(_either(users), _either(items))


def _either(masks: Iterable[np.ndarray | None]) -> np.ndarray | None:
    found: np.ndarray | None = None
    for mask in masks:
        if mask is None:
            return None
        found = mask if found is None else found | mask
    return found


def _masks(
    segment: Segment, world_dir: Path, catalogue: Catalogue, manifest: WorldManifest
) -> tuple[np.ndarray | None, np.ndarray | None]:
    users: np.ndarray | None = None
    items: np.ndarray | None = None
    for column, values in segment.items():
        wanted = [values] if isinstance(values, str) else list(values)
        if column in ITEM_COLUMNS:
            told = pq.read_table(world_dir / "public" / "items.parquet", columns=[column])
            hit = np.isin(_words(told.column(column).to_pylist()), wanted)
            items = hit if items is None else items & hit
        elif column in USER_COLUMNS:
            hit = _users_in(column, wanted, world_dir, catalogue, manifest)
            users = hit if users is None else users & hit
    return users, items


def _users_in(
    column: str, wanted: list[str], world_dir: Path, catalogue: Catalogue, manifest: WorldManifest
) -> np.ndarray:
    """bool [users]."""
    if column == "personalised":
        return np.isin(_words(catalogue.user_personalised.tolist()), [w.lower() for w in wanted])
    if column == "user_bucket":
        bucket = np.arange(catalogue.n_users) % BUCKETS
        ends = [[int(end) for end in value.split("-")] for value in wanted]
        return np.any([(bucket >= low) & (bucket <= high) for low, high in ends], axis=0)
    if column in _TRAITS:
        features = artefacts.load(world_dir / "registry", "features", artefacts.FEATURES_VERSION)
        traits = user_traits(features, catalogue.n_users, manifest.topics)
        return np.isin(_words(traits[_TRAITS.index(column)]), wanted)
    told = pq.read_table(world_dir / "public" / "users.parquet", columns=["user_id", _OF_USERS[column]])
    inside = np.zeros(catalogue.n_users, bool)  # by number: the erased have no row
    inside[told.column(0).to_numpy()] = np.isin(_words(told.column(1).to_pylist()), wanted)
    return inside


def _words(values: Iterable[object]) -> np.ndarray:
    """As a trainee reads them; truth values in lower case."""
    return np.array([str(v).lower() if isinstance(v, bool) else str(v) for v in values])
