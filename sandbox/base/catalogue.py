"""The public catalogue as arrays: what every stage of serving may know about items and users.

The world writes it (`WORLD/public/catalogue.npz`); services load it without Parquet or pandas.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from sandbox.base.errors import SandboxError

REGIONS = ("EU", "UK", "US-CA", "US", "CA", "BR", "AU")
JURISDICTIONS = {  # the privacy regime of each region's people
    "EU": "gdpr", "UK": "uk-gdpr", "US-CA": "ccpa", "US": "us", "CA": "pipeda", "BR": "lgpd", "AU": "au-privacy-act",
}  # fmt: skip
LANGUAGES = ("en", "de", "fr", "es", "pt", "tr", "pl", "xx")
AGE_BANDS = ("unknown", "13-17", "18-24", "25-34", "35-44", "45-54", "55+")
GENDERS = ("unknown", "f", "m", "x")
SENSITIVITIES = ("none", "adult", "gore", "health", "religion", "politics", "sexuality", "minors-unsuitable")
CREATOR_GROUPS = ("A", "B")


@dataclass(frozen=True)
class Catalogue:
    """Row i is item_id i (or user_id u, creator_id c). Codes index the tuples of this module.

    Times are world seconds since the epoch.
    """

    item_topics: np.ndarray  # float32 [items, N_TOPICS], rows sum to 1 (0 where no topic is known)
    item_creator: np.ndarray  # int32 [items]
    item_language: np.ndarray  # int8 [items]
    item_maturity: np.ndarray  # int8 [items], least age in years: 0, 13, 16 or 18
    item_sensitivity: np.ndarray  # int8 [items], the public label
    item_sens_score: np.ndarray  # float32 [items], 0..1, the sensitivity classifier's output
    item_regions: np.ndarray  # uint16 [items], bit r set: may be shown in REGIONS[r]
    item_published_ts: np.ndarray  # float64 [items]
    item_duration_s: np.ndarray  # float32 [items]
    item_price: np.ndarray  # float32 [items], 0 where it is not for sale
    item_sponsored: np.ndarray  # bool [items]
    creator_group: np.ndarray  # int8 [creators]
    creator_followers: np.ndarray  # int32 [creators]
    user_region: np.ndarray  # int8 [users]
    user_language: np.ndarray  # int8 [users]
    user_age_band: np.ndarray  # int8 [users]
    user_gender: np.ndarray  # int8 [users]
    user_personalised: np.ndarray  # bool [users], consent to personalisation when the run begins
    user_created_ts: np.ndarray  # float64 [users]
    follows_indptr: np.ndarray  # int64 [users + 1], CSR over creators
    follows_creator: np.ndarray  # int32 [follows]
    blocked_indptr: np.ndarray  # int64 [users + 1], creators this user has blocked
    blocked_creator: np.ndarray  # int32 [blocks]

    @property
    def n_items(self) -> int:
        return len(self.item_creator)

    @property
    def n_users(self) -> int:
        return len(self.user_region)

    def follows(self, user: int) -> np.ndarray:
        return self.follows_creator[self.follows_indptr[user] : self.follows_indptr[user + 1]]

    def blocked(self, user: int) -> np.ndarray:
        return self.blocked_creator[self.blocked_indptr[user] : self.blocked_indptr[user + 1]]

    def save(self, path: Path) -> None:
        np.savez(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Catalogue:
        """Raises CFG-002 when there is no such file, WORLD-003 when it cannot be read."""
        if not path.exists():
            raise SandboxError(
                "CFG-002",
                where="catalogue",
                seen=str(path),
                expected="catalogue.npz of a built world",
                fix="build the world: sandbox world build NAME",
            )
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{f.name: arrays[f.name] for f in fields(cls)})
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise SandboxError(
                "WORLD-003",
                where=str(path),
                seen=str(error),
                expected="every array of the catalogue",
                fix="build the world anew: sandbox world build NAME --force",
            ) from error
