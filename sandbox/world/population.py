"""The users of a preset world: who they are, what they like, what they allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sandbox.base.catalogue import AGE_BANDS, GENDERS, JURISDICTIONS, LANGUAGES, REGIONS
from sandbox.base.clock import DAY_S
from sandbox.base.features import N_TOPICS
from sandbox.base.streams import stream
from sandbox.world.presets import HISTORY_END_TS, Preset
from sandbox.world.words import TOPICS

_REGION_SHARES = {"EU": 0.30, "UK": 0.12, "US-CA": 0.10, "US": 0.25, "CA": 0.06, "BR": 0.10, "AU": 0.07}
_UTC_OFFSET_H = {"EU": 1, "UK": 0, "US-CA": -8, "US": -5, "CA": -5, "BR": -3, "AU": 10}
_LANGUAGE_SHARES = {
    "EU": {"en": 0.25, "de": 0.27, "fr": 0.18, "es": 0.14, "pl": 0.10, "tr": 0.06},
    "UK": {"en": 0.96, "pl": 0.04},
    "US-CA": {"en": 0.80, "es": 0.20},
    "US": {"en": 0.92, "es": 0.08},
    "CA": {"en": 0.78, "fr": 0.22},
    "BR": {"pt": 0.95, "en": 0.05},
    "AU": {"en": 1.0},
}
_AGE_SHARES = (0.06, 0.05, 0.20, 0.31, 0.19, 0.12, 0.07)  # ml-100k's ages, with 6 % unstated
_GENDER_SHARES = (0.08, 0.45, 0.45, 0.02)
# Odds of a topic against men's; ml-100k's shares of ratings by gender.
_ODDS_F = {"romance": 1.25, "action": 0.78, "science fiction": 0.75, "children": 1.30}
_ODDS_YOUNG = {"gaming": 1.6, "comedy": 1.4, "music": 1.3, "news": 0.6, "gardening": 0.5, "finance": 0.7}
_ODDS_OLD = {"gardening": 1.7, "history": 1.5, "health": 1.4, "news": 1.4, "gaming": 0.5}
TASTE_GAIN = 2.8  # logits between an item wholly off and wholly on a user's taste
RESIDUAL_DIMS = 8  # taste that no topic explains; the first is the taste for creator group B
RESIDUAL_SD = 0.40
FAN_SHARE, FAN_TASTE = 0.25, 1.3  # users whose main taste is group B's manner
SECOND_LANGUAGE, FOREIGN_LANGUAGE = -0.2, -1.0  # logits: English to others; a language not spoken


@dataclass(frozen=True)
class Users:
    """Arrays [U]; taste [U, N_TOPICS + RESIDUAL_DIMS + languages]."""

    region: np.ndarray  # int8, as in the catalogue
    language: np.ndarray  # int8
    age_band: np.ndarray  # int8
    gender: np.ndarray  # int8
    personalised: np.ndarray  # bool, when the history ends
    created_ts: np.ndarray  # float64
    theta: np.ndarray  # float64 [U, N_TOPICS], rows sum to 1
    taste: np.ndarray  # float32
    intent: np.ndarray  # float32 [U, N_TOPICS]
    rate: np.ndarray  # float32, sessions per day
    patience: np.ndarray  # float32
    bias: np.ndarray  # float32
    tz_h: np.ndarray  # float32
    fan: np.ndarray  # bool, taste for creator group B


def draw_users(preset: Preset, topic_prior: np.ndarray) -> Users:
    """topic_prior: float64 [N_TOPICS], shares of all tastes."""
    rng, n = stream(preset.seed, "users"), preset.users
    region = _pick(rng, [_REGION_SHARES[name] for name in REGIONS], n)
    language = np.zeros(n, dtype=np.int8)
    for code, name in enumerate(REGIONS):
        here = np.flatnonzero(region == code)
        shares = [_LANGUAGE_SHARES[name].get(lang, 0.0) for lang in LANGUAGES]
        language[here] = _pick(rng, shares, len(here))
    age_band = _pick(rng, _AGE_SHARES, n)
    gender = _pick(rng, _GENDER_SHARES, n)

    theta = _tastes(rng, topic_prior, age_band, gender)
    fan = rng.random(n) < FAN_SHARE
    residual = rng.normal(0, RESIDUAL_SD, (n, RESIDUAL_DIMS))
    # Zero on the whole, so that neither group of creators is better liked on average.
    residual[:, 0] = np.where(fan, FAN_TASTE, -FAN_TASTE * FAN_SHARE / (1 - FAN_SHARE))
    residual[:, 0] += rng.normal(0, 0.15, n)
    speaks = np.full((n, len(LANGUAGES)), FOREIGN_LANGUAGE)
    speaks[:, LANGUAGES.index("en")] = SECOND_LANGUAGE
    speaks[:, LANGUAGES.index("xx")] = 0.0
    speaks[np.arange(n), language] = 0.0

    wide = np.sqrt(theta)  # sessions wander further than taste as a whole
    intent = 0.7 * wide / wide.sum(axis=1, keepdims=True) + 0.3 * topic_prior
    activity = rng.lognormal(0, 0.95, n)
    recent = rng.random(n) < 0.06
    age_days = np.where(recent, rng.random(n) * preset.days, preset.days + rng.exponential(400, n))
    return Users(
        region=region,
        language=language,
        age_band=age_band,
        gender=gender,
        personalised=rng.random(n) < 0.88,
        created_ts=HISTORY_END_TS - age_days * DAY_S,
        theta=theta,
        taste=np.hstack([TASTE_GAIN * theta, residual, speaks]).astype(np.float32),
        intent=intent.astype(np.float32),
        rate=(preset.sessions_per_day * activity / activity.mean()).astype(np.float32),
        patience=rng.beta(3, 3, n).astype(np.float32),
        bias=rng.normal(0, 0.25, n).astype(np.float32),
        tz_h=np.array([_UTC_OFFSET_H[r] for r in REGIONS], dtype=np.float32)[region],
        fan=fan,
    )


def users_table(users: Users) -> pa.Table:
    n = len(users.region)
    region = _names(REGIONS, users.region)
    return pa.table(
        {
            "user_id": np.arange(n, dtype=np.int32),
            "key": [f"u{i:06d}" for i in range(n)],
            "region": region,
            "jurisdiction": [JURISDICTIONS[r] for r in region],
            "lang": _names(LANGUAGES, users.language),
            "age_band": _names(AGE_BANDS, users.age_band),
            "gender": _names(GENDERS, users.gender),
            "created_ts": users.created_ts,
        }
    )


def consent_table(preset: Preset, users: Users) -> pa.Table:
    """The ledger up to the history's end, in order of time: what was said at the start, and what changed."""
    rng, n = stream(preset.seed, "consent"), preset.users
    region = np.array(REGIONS)[users.region]
    final = {
        "personalisation": users.personalised,
        "sensitive": rng.random(n) < 0.35,
        # No interface asks a minor for this: no law lets all of them say yes.
        "ads_profiling": (rng.random(n) < 0.60) & (users.age_band != AGE_BANDS.index("13-17")),
    }
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("user", "ts", "purpose", "state", "gpc")}

    def write(who: np.ndarray, ts: np.ndarray, purpose: str, granted: np.ndarray) -> None:
        columns["user"].append(who)
        columns["ts"].append(ts)
        columns["purpose"].append(np.full(len(who), purpose))
        columns["state"].append(np.where(granted, "granted", "denied"))
        gpc = (region[who] == "US-CA") & ~granted & (rng.random(len(who)) < 0.5)
        columns["gpc"].append(np.where(gpc, "gpc", "ui"))

    for purpose, state in final.items():
        changed = rng.random(n) < 0.03  # some changed their mind during the history
        if purpose == "ads_profiling":
            changed &= users.age_band != AGE_BANDS.index("13-17")
        write(np.arange(n), users.created_ts, purpose, state ^ changed)
        who = np.flatnonzero(changed)
        since = np.maximum(users.created_ts[who], HISTORY_END_TS - preset.days * DAY_S)
        write(who, since + rng.random(len(who)) * (HISTORY_END_TS - since), purpose, state[who])
    flat = {name: np.concatenate(parts) for name, parts in columns.items()}
    order = np.lexsort((flat["purpose"], flat["user"], flat["ts"]))
    return pa.table(
        {
            "user_id": flat["user"][order].astype(np.int32),
            "purpose": flat["purpose"][order].tolist(),
            "state": flat["state"][order].tolist(),
            "effective_ts": flat["ts"][order],
            "jurisdiction": [JURISDICTIONS[r] for r in region[flat["user"][order]]],
            "signal": flat["gpc"][order].tolist(),
        }
    )


def _tastes(rng: np.random.Generator, prior: np.ndarray, age_band: np.ndarray, gender: np.ndarray) -> np.ndarray:
    """float64 [U, N_TOPICS]: Dirichlet with the prior's odds moved by gender and age; sparse."""
    names = list(TOPICS)
    odds = np.ones((len(gender), N_TOPICS))
    for group, table in (
        (gender == GENDERS.index("f"), _ODDS_F),
        ((age_band == 1) | (age_band == 2), _ODDS_YOUNG),
        (age_band >= 5, _ODDS_OLD),
    ):
        for topic, factor in table.items():
            odds[group, names.index(topic)] *= factor
    concentration = 0.15 * N_TOPICS * prior * odds
    raw = rng.standard_gamma(concentration) + 1e-9
    theta: np.ndarray = raw / raw.sum(axis=1, keepdims=True)
    return theta


def _pick(rng: np.random.Generator, shares: list[float] | tuple[float, ...], n: int) -> np.ndarray:
    cdf = np.cumsum(shares) / np.sum(shares)
    chosen: np.ndarray = np.searchsorted(cdf, rng.random(n), side="right").astype(np.int8)
    return chosen


def _names(vocabulary: tuple[str, ...], codes: np.ndarray) -> list[str]:
    return [vocabulary[code] for code in codes]
