"""What a source lacks about its users, filled in: region, language, age, consent, follows, blocks."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from sandbox.base.catalogue import LANGUAGES, REGIONS
from sandbox.base.clock import DAY_S
from sandbox.base.streams import uniforms
from sandbox.world.importers import recognise
from sandbox.world.importers.lots import Gaps, codes, draw, fill, is_stated, languages
from sandbox.world.importers.source import Entities, Log
from sandbox.world.importers.times import read_dates

CONSENT_SHARE = 0.88
_REGION_SHARE = (0.34, 0.12, 0.10, 0.26, 0.06, 0.08, 0.04)
_LANGUAGES_OF = {  # the first unless drawn otherwise
    "EU": ("en", "de", "fr", "es", "pl", "tr"), "UK": ("en", "en", "en", "pl"), "BR": ("pt", "pt", "en"),
    "US-CA": ("en", "en", "en", "es"), "US": ("en", "en", "en", "en", "en", "es"),
    "CA": ("en", "en", "en", "fr"), "AU": ("en",),
}  # fmt: skip
_AGE_SHARE = (0.06, 0.06, 0.20, 0.30, 0.20, 0.11, 0.07)
_GENDER_SHARE = (0.06, 0.46, 0.46, 0.02)
_MAX_FOLLOWS = 30


def complete_users(
    users: Entities, log: Log, seed: int, start_ts: float, end_ts: float, gaps: Gaps
) -> dict[str, np.ndarray]:
    who, n = np.arange(len(users)), len(users)
    region = fill(
        codes(users, "region", recognise.region),
        draw(uniforms(seed, "fill/region", who), _REGION_SHARE),
        "user region",
        gaps,
        is_stated(users, "region"),
    )
    spoken = _language_in(region, uniforms(seed, "fill/user-language", who))
    language = languages(users, spoken, "user language", gaps)
    year = datetime.fromtimestamp(end_ts, UTC).year
    age = codes(users, "age", lambda text: recognise.age_band(text, year))
    age = _known_or_drawn(users, "age", age, uniforms(seed, "fill/age", who), _AGE_SHARE, gaps)
    gender = codes(users, "gender", recognise.gender)
    luck = uniforms(seed, "fill/gender", who)
    gender = _known_or_drawn(users, "gender", gender, luck, _GENDER_SHARE, gaps)
    gaps.every(n, "consent", "follows", "blocked creators")
    return {
        "user_region": region.astype(np.int8),
        "user_language": language.astype(np.int8),
        "user_age_band": age.astype(np.int8),
        "user_gender": gender.astype(np.int8),
        "user_personalised": uniforms(seed, "fill/consent", who) < CONSENT_SHARE,
        "user_created_ts": _created(users, log, seed, start_ts, gaps),
    }


def _known_or_drawn(
    users: Entities, attribute: str, known: np.ndarray, luck: np.ndarray, shares: tuple[float, ...], gaps: Gaps
) -> np.ndarray:
    """Where the source has the attribute at all, who does not say stays unknown (code 0)."""
    stated = is_stated(users, attribute)
    if not stated.any():
        gaps.add(attribute, len(known))
        return draw(luck, shares)
    gaps.add(f"{attribute}, stated but not readable", stated & (known == 0))
    return known


def _created(users: Entities, log: Log, seed: int, start_ts: float, gaps: Gaps) -> np.ndarray:
    """float64 [users], when the account was made: never after the first interaction."""
    first = np.full(len(users), np.inf)
    np.minimum.at(first, log.user, log.ts)
    first[np.isinf(first)] = start_ts
    tenure = -90 * DAY_S * np.log1p(-uniforms(seed, "fill/tenure", np.arange(len(users))))
    known, stated = read_dates(users.text("created")), is_stated(users, "created")
    missing = np.isnan(known)
    gaps.add("user created", missing & ~stated)
    gaps.add("user created, stated but not readable", missing & stated)
    gaps.add("user created, stated after the first interaction", known > first)
    return np.asarray(np.where(missing, first - tenure, np.minimum(known, first)))


def _language_in(region: np.ndarray, luck: np.ndarray) -> np.ndarray:
    choices = [_LANGUAGES_OF[REGIONS[code]] for code in region.tolist()]
    return np.array(
        [LANGUAGES.index(c[int(u * len(c))]) for c, u in zip(choices, luck.tolist(), strict=True)], dtype=np.int64
    )


def follows_of(log: Log, creator: np.ndarray, n_users: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """CSR: half of the creators whom a user chose twice or more, the most chosen first."""
    width = int(creator.max(initial=0)) + 1
    chosen = log.click
    pairs, counts = np.unique(log.user[chosen] * width + creator[log.item[chosen]], return_counts=True)
    user, who = pairs // width, pairs % width
    keep = (counts >= 2) & (uniforms(seed, "fill/follow", user, who) < 0.5)
    user, who, counts = user[keep], who[keep], counts[keep]
    order = np.lexsort((who, -counts, user))
    user, who = user[order], who[order]
    rank = np.arange(len(user)) - np.searchsorted(user, user)
    user, who = user[rank < _MAX_FOLLOWS], who[rank < _MAX_FOLLOWS]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))])
    return indptr.astype(np.int64), who.astype(np.int32)


def blocks_of(
    n_users: int, n_creators: int, follows: tuple[np.ndarray, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """One user in fifty has blocked one creator whom they don't follow."""
    who = np.arange(n_users)
    blocked = (n_creators * uniforms(seed, "fill/blocked", who)).astype(np.int64)
    follower = np.repeat(who, np.diff(follows[0]))
    followed = np.isin(who * n_creators + blocked, follower * n_creators + follows[1])
    chosen = (uniforms(seed, "fill/blocks", who) < 0.02) & ~followed
    return {
        "blocked_indptr": np.concatenate([[0], np.cumsum(chosen)]).astype(np.int64),
        "blocked_creator": blocked[chosen].astype(np.int32),
    }
