"""The ground truth of a world as arrays: what the behaviour model runs on.

Written once, by a preset's build or by an import's fit, to WORLD/latent/truth.npz. Only sandbox.world
reads it: what serves and what trains must never know it. An importer that can't know an array uses
`neutral`, with which that array has no effect.

The behaviour model (sandbox.world.behaviour), all in logits:

    attraction(u, i) = b0 + user_bias[u] + item_appeal[i] + user_taste[u] @ item_taste[i]
                     + click_quality * item_quality[i] + click_bait * item_clickbait[i]
                     + intent_gain * item_topics[i, intent of the session]
    value(u, i)      = value_b0 + value_taste * (user_taste[u] @ item_taste[i])
                     + value_quality * item_quality[i] + value_bait * item_clickbait[i]

Click probability is sigmoid(attraction) where the slot is examined; value is what the user gets from
it, and moves dwell, likes, conversions and satisfaction. Form: WORLD design note section 3.2, after
the click and satisfaction models of RecSim (Ie et al. 2019) and the position-based click model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base.errors import SandboxError


@dataclass(frozen=True)
class Weights:
    """Scalars of the behaviour model. Logits unless the name says otherwise."""

    b0: float = -3.05  # level of attraction: sets the click rate
    click_quality: float = 0.35
    click_bait: float = 1.2
    intent_gain: float = 1.8  # attraction of an item wholly on the session's topic
    value_b0: float = 0.0
    value_taste: float = 0.5
    value_quality: float = 1.0
    value_bait: float = -2.5
    examine_eta: float = 0.8  # examination of position k: k ** -eta, for a user of middling patience
    stop_share: float = 0.3  # share of worthwhile clicks after which the rest is not looked at
    repeat_clicked: float = -3.0  # attraction of what was clicked lately
    repeat_shown: float = -0.8  # attraction of what was shown lately and left
    dwell_value: float = 0.9  # log seconds per unit of value
    dwell_duration: float = 0.35  # log seconds per log second of length
    dwell_const: float = 1.4
    dwell_sigma: float = 0.8
    like_b0: float = -2.2
    hide_b0: float = -6.2  # of an examined item that was not clicked
    convert_b0: float = -3.5
    leave_b0: float = -1.6
    leave_patience: float = -2.0
    leave_satisfaction: float = -2.5
    leave_latency: float = 1.6  # times log(1 + (latency - free) / scale)
    latency_free_ms: float = 150.0
    latency_scale_ms: float = 400.0
    leave_empty: float = 2.0  # nothing at all was shown
    memory_click: float = 0.85  # share of satisfaction kept at a click, 0..1
    memory_idle: float = 0.96  # ... at a slate without a click
    idle_level: float = 0.35  # satisfaction that clickless slates drift to, 0..1
    return_gain: float = 2.0  # log return rate per unit of satisfaction above .5
    think_mean_log: float = 3.0  # log seconds between two requests of a session
    think_sigma: float = 0.6


@dataclass(frozen=True)
class Latent:
    """Row i is item_id i, row u is user_id u. U users, I items, D taste dimensions, T = N_TOPICS."""

    seed: int  # of every draw of the behaviour
    weights: Weights
    user_taste: np.ndarray  # float32 [U, D]
    item_taste: np.ndarray  # float32 [I, D]
    user_intent: np.ndarray  # float32 [U, T], rows sum to 1: how often a session is about that topic
    item_topics: np.ndarray  # float32 [I, T], rows sum to 1, or 0 where no topic is known
    item_appeal: np.ndarray  # float32 [I], logits that taste, quality and bait leave unexplained
    item_quality: np.ndarray  # float32 [I], about N(0, 1). Neutral: 0
    item_clickbait: np.ndarray  # float32 [I], 0..1 less its mean. Neutral: 0
    item_duration_s: np.ndarray  # float32 [I], above 0; caps the dwell
    item_price: np.ndarray  # float32 [I], revenue of a conversion. Neutral: 0
    user_bias: np.ndarray  # float32 [U], logits. Neutral: 0
    user_rate: np.ndarray  # float32 [U], sessions per day at satisfaction .5. Neutral: 1
    user_patience: np.ndarray  # float32 [U], 0..1. Neutral: .5
    user_satisfaction: np.ndarray  # float32 [U], 0..1, when the history ends. Neutral: .5
    user_tz_h: np.ndarray  # float32 [U], local time less UTC, hours. Neutral: 0
    # Float32 [24], weight of each local hour, mean 1
    diurnal: np.ndarray = field(default_factory=lambda: hourly_profile())

    @classmethod
    def neutral(
        cls,
        *,
        seed: int,
        user_taste: np.ndarray,
        item_taste: np.ndarray,
        item_topics: np.ndarray,
        item_appeal: np.ndarray | None = None,
        weights: Weights | None = None,
        **known: np.ndarray,
    ) -> Latent:
        """What a log can tell, with neutral values for all that it can't. known: further arrays by name."""
        n_users, n_items = len(user_taste), len(item_taste)
        in_use = item_topics.sum(axis=0) > 0
        share = in_use / max(1, in_use.sum()) if in_use.any() else np.full(len(in_use), 1 / len(in_use))

        arrays: dict[str, np.ndarray] = {
            "user_taste": user_taste,
            "item_taste": item_taste,
            "item_topics": item_topics,
            "item_appeal": np.zeros(n_items) if item_appeal is None else item_appeal,
            "user_intent": np.tile(share, (n_users, 1)),
            "item_quality": np.zeros(n_items),
            "item_clickbait": np.zeros(n_items),
            "item_duration_s": np.full(n_items, 120.0),
            "item_price": np.zeros(n_items),
            "user_bias": np.zeros(n_users),
            "user_rate": np.ones(n_users),
            "user_patience": np.full(n_users, 0.5),
            "user_satisfaction": np.full(n_users, 0.5),
            "user_tz_h": np.zeros(n_users),
            "diurnal": hourly_profile(),
        } | known
        as_float = {name: np.ascontiguousarray(a, dtype=np.float32) for name, a in arrays.items()}
        return cls(seed=seed, weights=weights or Weights(), **as_float)

    @property
    def n_users(self) -> int:
        return len(self.user_taste)

    @property
    def n_items(self) -> int:
        return len(self.item_taste)

    def save(self, world_dir: Path) -> None:
        """Write WORLD/latent/truth.npz; the same arrays give the same bytes."""
        folder = world_dir / "latent"
        folder.mkdir(parents=True, exist_ok=True)
        saved: dict[str, Any] = {name: getattr(self, name) for name in _array_names()}
        saved |= {f"w_{name}": np.float64(value) for name, value in asdict(self.weights).items()}
        np.savez(folder / "truth.npz", seed=np.int64(self.seed), **saved)

    @classmethod
    def load(cls, world_dir: Path) -> Latent:
        """Raises WORLD-003 when the file is missing or cannot be read."""
        path = world_dir / "latent" / "truth.npz"
        try:
            with np.load(path, allow_pickle=False) as saved:
                weights = Weights(**{f.name: float(saved[f"w_{f.name}"]) for f in fields(Weights)})
                arrays = {name: saved[name] for name in _array_names()}
                return cls(int(saved["seed"]), weights, **arrays)
        except (ValueError, KeyError, OSError) as error:
            raise SandboxError(
                "WORLD-003",
                where=str(path),
                seen=str(error),
                expected="every array of the ground truth",
                fix="build or import the world anew with --force",
            ) from error


def _array_names() -> list[str]:
    return [f.name for f in fields(Latent) if f.name not in ("seed", "weights")]


def hourly_profile() -> np.ndarray:
    """float32 [24], mean 1: how busy each local hour is. Fitted to session starts of public logs
    (first harmonic .60 peaking at 21 h, second .15, floored at .12)."""
    hour = np.arange(24) + 0.5
    turn = 2 * np.pi * (hour - 21) / 24
    weight = np.maximum(0.12, 1 + 0.60 * np.cos(turn) + 0.15 * np.cos(2 * turn))
    profile: np.ndarray = (weight / weight.mean()).astype(np.float32)
    return profile
