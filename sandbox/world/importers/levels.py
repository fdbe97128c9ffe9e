"""How often people click, which a log of choices can't tell: levels set by what policies would get."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sandbox.base.streams import stream
from sandbox.world.behaviour import Behaviour
from sandbox.world.importers.fit import sigmoid
from sandbox.world.importers.source import Log
from sandbox.world.latent import Latent

UNIFORM_CTR = 0.02  # of slates filled uniformly
ORACLE_CTR = 0.16  # of slates filled by true attraction, at most
_SLATE = 10
_SESSIONS = 400  # sampled, fewer where the catalogue is large
_MOST_PAIRS = 3_000_000  # of a session and an item


@dataclass(frozen=True)
class Audience:
    """Sampled sessions, users who come more often more often, and what every item pulls there.

    taste: float32 [n, items], logits that shrink together. rest: float32 [n, items], intent and bias.
    seen: float64 [n, slots], probability that a slot is looked at. b0 is in neither.
    """

    taste: np.ndarray
    rest: np.ndarray
    seen: np.ndarray

    @classmethod
    def of(cls, latent: Latent) -> Audience:
        behaviour = Behaviour(latent)
        n = max(20, min(_SESSIONS, _MOST_PAIRS // latent.n_items))
        share = np.cumsum(latent.user_rate, dtype=np.float64)
        luck = stream(latent.seed, "import/levels").random(n)
        user = np.minimum(np.searchsorted(share, luck * share[-1]), latent.n_users - 1)
        intent = behaviour.intent(user, np.arange(n))
        taste = latent.user_taste[user] @ latent.item_taste.T + latent.item_appeal
        rest = latent.weights.intent_gain * latent.item_topics[:, intent].T
        rest = rest + latent.user_bias[user][:, None]
        return cls(taste, rest, behaviour.examination(user, min(_SLATE, latent.n_items)))

    def uniform_ctr(self, b0: float, shrink: float = 1.0) -> float:
        """Expected clicks per slot of a first slate filled uniformly."""
        p = sigmoid(self.taste * np.float32(shrink) + self.rest + np.float32(b0))
        return float((self.seen.mean(axis=1) * p.mean(axis=1)).mean())

    def oracle_ctr(self, b0: float, shrink: float = 1.0) -> float:
        """Expected clicks per slot of a first slate filled by true attraction."""
        pull = self.taste * np.float32(shrink) + self.rest + np.float32(b0)
        k = self.seen.shape[1]
        best = -np.sort(-np.partition(pull, -k, axis=1)[:, -k:], axis=1)
        return float((self.seen * sigmoid(best)).mean())


def at_set_levels(latent: Latent) -> Latent:
    """The same orders, with the click rates of a uniform and of the best policy where they belong."""
    audience = Audience.of(latent)
    low, high = 0.02, 1.0
    if audience.oracle_ctr(_level(audience, 1.0)) > ORACLE_CTR:
        for _ in range(10):
            middle = (low + high) / 2
            above = audience.oracle_ctr(_level(audience, middle), middle) > ORACLE_CTR
            low, high = (low, middle) if above else (middle, high)
    else:
        low = 1.0
    weights = replace(latent.weights, b0=_level(audience, low), value_taste=latent.weights.value_taste / low)
    return replace(
        latent,
        weights=weights,
        item_taste=latent.item_taste * np.float32(low),
        item_appeal=latent.item_appeal * np.float32(low),
    )


def at_logged_level(latent: Latent, log: Log) -> Latent:
    """b0 at which the logged slots get the clicks that they got, under the world's own examination."""
    rows = np.arange(0, len(log), max(1, len(log) // 50_000))
    behaviour = Behaviour(replace(latent, weights=replace(latent.weights, b0=0.0)))
    user, item = log.user[rows], log.item[rows][:, None]
    seen = behaviour.examination(user, int(log.position.max()))
    seen = seen[np.arange(len(rows)), log.position[rows].astype(np.int64) - 1]
    pull = behaviour.attraction(user, item, np.arange(len(rows)))[:, 0].astype(np.float64)
    wanted, low, high = float(log.click[rows].mean()), -20.0, 5.0
    for _ in range(30):
        middle = (low + high) / 2
        below = float((seen * sigmoid(pull + middle)).mean()) < wanted
        low, high = (middle, high) if below else (low, middle)
    return replace(latent, weights=replace(latent.weights, b0=low))


def policy_ctrs(latent: Latent) -> dict[str, float]:
    """What a uniform policy and the best possible one get, per slot."""
    audience, b0 = Audience.of(latent), latent.weights.b0
    return {"ctr_uniform": audience.uniform_ctr(b0), "ctr_oracle": audience.oracle_ctr(b0)}


def _level(audience: Audience, shrink: float) -> float:
    """b0 at which a uniform policy gets UNIFORM_CTR."""
    low, high = -20.0, 5.0
    for _ in range(16):
        middle = (low + high) / 2
        below = audience.uniform_ctr(middle, shrink) < UNIFORM_CTR
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2
