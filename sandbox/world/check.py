"""Does a world behave as worlds should? Measured figures against bands, from the log and from policies
that only the truth allows: uniform, oracle, click-hungry and value-minded slates.

Sources of the bands: marginals of the public MovieLens logs (popularity), Criteo's published delays
(conversions), session starts of public logs (hours); the click rates are those at which a training
drill can see a fall of a tenth within an hour of traffic.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy.special import expit

from sandbox.base.catalogue import Catalogue
from sandbox.base.streams import stream
from sandbox.base.worlds import WorldManifest, load_manifest, world_dir
from sandbox.world import damage
from sandbox.world.behaviour import Behaviour
from sandbox.world.presets import PRESETS, SLATE

_USERS = 1_500  # simulated for each policy
_REPEATS = 120  # sessions of each user where conversions are counted
_CHUNK = 100  # users whose scores for all items are held at once
_REQUESTS = 6  # of a session, where a session is simulated
_NEVER = 1 << 40  # sessions of checks are numbered from here: no draw is shared with the history's
Band = tuple[float, float]


@dataclass(frozen=True)
class Check:
    """One figure, its band, and whether it lies within (bounds included)."""

    check: str
    value: float
    low: float
    high: float
    ok: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


# An oracle that knows tastes but not what a new session is about: what the best ranker can reach on a
# first page. 7 to 16 %: five to eight times a uniform slate's, so that there is much to win and lose.
LAPTOP: dict[str, Band] = {
    "top_tenth_click_share": (0.43, 0.60),
    "gini_item_clicks": (0.63, 0.72),
    "ctr_history": (0.03, 0.06),
    "ctr_uniform": (0.015, 0.03),
    "ctr_oracle": (0.08, 0.16),
    "ctr_oracle_intent_gain": (1.05, 1.6),
    "conversion_within_1h": (0.32, 0.38),  # .345 and .50 of all, of which 1.3 % never come to pass
    "conversion_within_24h": (0.475, 0.535),
    "diurnal_max_over_mean": (1.4, 2.1),
    "satisfaction_click_less_value": (-1.0, -0.03),
    "return_rate_click_over_value": (0.3, 0.95),
    "latency_leave_ratio_1s": (1.5, 6.0),
    "random_slot_share": (0.018, 0.022),
    "group_b_item_share": (0.20, 0.25),
    "group_b_click_ratio": (0.85, 1.15),
    "personalised_share": (0.86, 0.90),
    "sensitive_share": (0.02, 0.045),
}
# 300 users and 400 items: heavier averages, few clicks an item, an oracle with less to choose from.
TINY: dict[str, Band] = LAPTOP | {
    "top_tenth_click_share": (0.25, 0.60),
    "gini_item_clicks": (0.40, 0.72),
    "ctr_oracle": (0.06, 0.16),
    "satisfaction_click_less_value": (-1.0, -0.015),
    "group_b_item_share": (0.12, 0.30),
    "group_b_click_ratio": (0.7, 1.4),
    "personalised_share": (0.80, 0.95),
    "sensitive_share": (0.005, 0.07),
}
# Real logs are as they are; the behaviour fitted to them must still be alive.
IMPORTED: dict[str, Band] = {
    "top_tenth_click_share": (0.10, 0.99),
    "gini_item_clicks": (0.10, 0.99),
    "ctr_uniform": (0.002, 0.06),
    "ctr_oracle": (0.03, 0.40),
    "conversion_within_1h": (0.30, 0.40),
    "conversion_within_24h": (0.45, 0.56),
    "latency_leave_ratio_1s": (1.5, 6.0),
}

# A log with impressions keeps its own click rates: shops get less than feeds, short videos far more.
SHOWN: dict[str, Band] = {"ctr_uniform": (0.0005, 0.8), "ctr_oracle": (0.005, 0.98)}


def check(name: str) -> list[Check]:
    """Every check that applies to the world of that name. Raises WORLD-001, WORLD-003."""
    manifest, folder = load_manifest(name), world_dir(name)
    return check_folder(manifest, folder)


def check_folder(manifest: WorldManifest, folder: Path) -> list[Check]:
    """The same for a world wherever it lies. Raises WORLD-003."""
    bands = _bands(manifest)
    with damage.named(folder):
        behaviour = Behaviour.load(folder)
        catalogue = Catalogue.load(folder / "public" / "catalogue.npz")
        figures = _log_figures(manifest, folder, behaviour)
    figures |= _policy_figures(manifest.seed, behaviour)
    figures |= _delay_figures(manifest.seed, behaviour)
    figures |= _catalogue_figures(catalogue, behaviour)
    return [
        Check(key, round(figures[key], 5), low, high, bool(low <= figures[key] <= high))
        for key, (low, high) in bands.items()
    ]


def _bands(manifest: WorldManifest) -> dict[str, Band]:
    if manifest.source not in PRESETS:
        return IMPORTED | SHOWN if manifest.has_negatives else IMPORTED
    return TINY if manifest.source == "tiny" else LAPTOP


def _log_figures(manifest: WorldManifest, folder: Path, behaviour: Behaviour) -> dict[str, float]:
    public = folder / "public"
    outcomes = pq.read_table(public / "outcomes.parquet", columns=["item_id", "kind"])
    kind = outcomes["kind"].combine_chunks().dictionary_encode()
    code = kind.dictionary.to_pylist().index("click") if "click" in kind.dictionary.to_pylist() else -1
    clicked = outcomes["item_id"].to_numpy()[np.asarray(kind.indices) == code]
    counts = np.sort(np.bincount(clicked, minlength=manifest.items))[::-1].astype(np.float64)
    impressions = pq.read_table(public / "impressions.parquet", columns=["ts", "session_id", "user_id", "propensity"])
    ts, user = impressions["ts"].to_numpy(), impressions["user_id"].to_numpy()
    _, first = np.unique(impressions["session_id"].to_numpy(), return_index=True)
    hour = (ts[first] / 3_600 + behaviour.latent.user_tz_h[user[first]]).astype(np.int64) % 24
    per_hour = np.bincount(hour, minlength=24)
    return {
        "top_tenth_click_share": float(counts[: max(1, len(counts) // 10)].sum() / counts.sum()),
        "gini_item_clicks": gini(counts),
        "ctr_history": len(clicked) / max(1, len(ts)),
        "diurnal_max_over_mean": float(per_hour.max() / per_hour.mean()),
        "random_slot_share": float(np.isfinite(impressions["propensity"].to_numpy()).mean()),
    }


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of non-negative counts: 0 when all are equal, near 1 when one has all."""
    rising = np.sort(counts).astype(np.float64)
    n, total = len(rising), rising.sum()
    return float(2 * (np.arange(1, n + 1) * rising).sum() / (n * total) - (n + 1) / n)


def _policy_figures(seed: int, behaviour: Behaviour) -> dict[str, float]:
    """What uniform, oracle, click-hungry and value-minded policies get from the same users."""
    rng = stream(seed, "check-policies")
    user = rng.integers(0, behaviour.n_users, _USERS)
    session = _NEVER + np.arange(_USERS)
    depth = min(_REQUESTS * SLATE, behaviour.n_items)
    uniform = rng.integers(0, behaviour.n_items, (_USERS, SLATE))
    rankings: dict[str, list[np.ndarray]] = {"taste": [], "intent": [], "value": []}
    for start in range(0, _USERS, _CHUNK):
        who, visit = user[start : start + _CHUNK], session[start : start + _CHUNK]
        taste = behaviour.attraction_to_all(who)
        # What a click is expected to add to satisfaction, over a middling one.
        value = expit(taste) * (expit(behaviour.value_to_all(who)) - 0.5)
        rankings["taste"].append(_top(taste, depth))
        rankings["intent"].append(_top(behaviour.attraction_to_all(who, visit), SLATE))
        rankings["value"].append(_top(value, depth))
    ranked = {name: np.concatenate(parts) for name, parts in rankings.items()}

    ctr = {
        name: _first_page_ctr(behaviour, user, session, slate)
        for name, slate in (("uniform", uniform), ("oracle", ranked["taste"][:, :SLATE]), ("intent", ranked["intent"]))
    }
    hungry = _satisfaction_after(behaviour, user, session, ranked["taste"])
    minded = _satisfaction_after(behaviour, user, session, ranked["value"])
    rate = behaviour.return_factor
    calm, nothing = np.full(_USERS, 0.5), np.zeros(_USERS, dtype=bool)
    quick, slow = (behaviour.leave_probability(user, calm, np.full(_USERS, ms), nothing).mean() for ms in (60.0, 1e3))
    return {
        "ctr_uniform": ctr["uniform"],
        "ctr_oracle": ctr["oracle"],
        "ctr_oracle_intent_gain": ctr["intent"] / max(1e-9, ctr["oracle"]),
        "satisfaction_click_less_value": float(hungry.mean() - minded.mean()),
        "return_rate_click_over_value": float(rate(hungry).mean() / rate(minded).mean()),
        "latency_leave_ratio_1s": float(slow / quick),
    }


def _top(score: np.ndarray, k: int) -> np.ndarray:
    """int64 [n, k]: the columns of the k largest scores of each row, best first; all where fewer."""
    k = min(k, score.shape[1])
    best = np.argpartition(-score, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(score, best, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(best, order, axis=1))


def _first_page_ctr(behaviour: Behaviour, user: np.ndarray, session: np.ndarray, slate: np.ndarray) -> float:
    n = len(user)
    answer = behaviour.respond(
        user=user, session=session, request_no=np.ones(n, dtype=np.int64), item=slate,
        latency_ms=np.full(n, 60.0), satisfaction=np.full(n, 0.5),
    )  # fmt: skip
    return float(answer.click.mean())


def _satisfaction_after(behaviour: Behaviour, user: np.ndarray, session: np.ndarray, ranked: np.ndarray) -> np.ndarray:
    """float [n]: satisfaction after a session that reads down the ranking, ten items at a time."""
    n, mood = len(user), np.full(len(user), 0.5)
    for request in range(ranked.shape[1] // SLATE):
        answer = behaviour.respond(
            user=user,
            session=session,
            request_no=np.full(n, request + 1),
            item=ranked[:, request * SLATE : (request + 1) * SLATE],
            latency_ms=np.full(n, 60.0),
            satisfaction=mood,
        )
        mood = answer.satisfaction.astype(np.float64)
    return mood


def _delay_figures(seed: int, behaviour: Behaviour) -> dict[str, float]:
    """Delays of the conversions that come of the best slates of 500 users, many sessions each."""
    rng = stream(seed, "check-delays")
    waits: list[np.ndarray] = []
    for part in range(5):
        who = rng.integers(0, behaviour.n_users, _CHUNK)
        user = np.tile(who, _REPEATS)
        n = len(user)
        best = _top(behaviour.attraction_to_all(who), min(SLATE, behaviour.n_items))
        answer = behaviour.respond(
            user=user,
            session=_NEVER * 2 + part * n + np.arange(n),
            request_no=np.ones(n, dtype=np.int64),
            item=np.tile(best, (_REPEATS, 1)),
            latency_ms=np.full(n, 60.0),
            satisfaction=np.full(n, 0.5),
        )
        waits.append(answer.conversion_delay_s[np.isfinite(answer.conversion_delay_s)])
    delay_s = np.concatenate(waits)
    return {
        "conversion_within_1h": float((delay_s <= 3_600).mean()),
        "conversion_within_24h": float((delay_s <= 86_400).mean()),
    }


def _catalogue_figures(catalogue: Catalogue, behaviour: Behaviour) -> dict[str, float]:
    group = catalogue.creator_group[catalogue.item_creator]
    user = np.arange(0, behaviour.n_users, max(1, behaviour.n_users // 500))
    wanted = np.zeros(behaviour.n_items)
    for start in range(0, len(user), _CHUNK):
        wanted += expit(behaviour.attraction_to_all(user[start : start + _CHUNK])).sum(axis=0)
    both = bool((group == 1).any() and (group == 0).any())
    return {
        "group_b_item_share": float((group == 1).mean()),
        "group_b_click_ratio": float(wanted[group == 1].mean() / wanted[group == 0].mean()) if both else 1.0,
        # An erased user's place is blank: it has no time at which the account was made.
        "personalised_share": float(catalogue.user_personalised[catalogue.user_created_ts > 0].mean()),
        "sensitive_share": float((catalogue.item_sensitivity > 0).mean()),
    }
