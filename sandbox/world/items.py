"""The items and creators of a preset world: what they are about, how good they are, who may see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv, expit, ndtr

from sandbox.base.catalogue import LANGUAGES, REGIONS, SENSITIVITIES
from sandbox.base.clock import DAY_S
from sandbox.base.features import N_TOPICS
from sandbox.base.streams import stream
from sandbox.world.population import RESIDUAL_DIMS, Users
from sandbox.world.presets import HISTORY_END_TS, Preset
from sandbox.world.words import TOPICS

GROUP_B_SHARE = 0.22  # of items
GROUP_MANNER = (-0.25, 0.90)  # where group A and group B lie on the first residual axis
APPEAL_SD, CREATOR_APPEAL_SD = 0.30, 0.15
RESIDUAL_SD = 0.40
_LANGUAGE_SHARES = (0.70, 0.06, 0.05, 0.06, 0.06, 0.03, 0.02, 0.02)
# Harmless items that a sensitivity classifier is unsure about: by topic, and in thinly trained languages.
_UNSURE_TOPICS = {"health": 0.45, "faith": 0.40, "relationships": 0.55}
_UNSURE_LANGUAGES = {"tr": 0.25, "pl": 0.20}
_SENSITIVE_SHARE = 0.03
_BY_TOPIC = {"health": "health", "faith": "religion", "relationships": "sexuality", "news": "politics"}
_ADULTS_ONLY = ("adult", "gore", "minors-unsuitable")


@dataclass(frozen=True)
class Items:
    """Arrays [I], by the names of the catalogue; creators' [C]."""

    topics: np.ndarray  # float32 [I, N_TOPICS]
    main_topic: np.ndarray  # int64
    creator: np.ndarray  # int32
    language: np.ndarray  # int8
    maturity: np.ndarray  # int8
    sensitivity: np.ndarray  # int8
    sens_score: np.ndarray  # float32
    regions: np.ndarray  # uint16
    published_ts: np.ndarray  # float64
    duration_s: np.ndarray  # float32
    price: np.ndarray  # float32
    sponsored: np.ndarray  # bool
    in_stock: np.ndarray  # bool
    taste: np.ndarray  # float32 [I, D], latent
    appeal: np.ndarray  # float32, latent
    quality: np.ndarray  # float32, latent
    clickbait: np.ndarray  # float32, latent, less its mean
    creator_group: np.ndarray  # int8 [C]
    creator_topic: np.ndarray  # int64 [C]
    creator_rank: np.ndarray  # int64 [C], 1 for the largest


def topic_prior(preset: Preset) -> np.ndarray:
    """float64 [N_TOPICS]: shares of topics among items and tastes."""
    prior: np.ndarray = stream(preset.seed, "topics").dirichlet(np.full(N_TOPICS, 6.0))
    return prior


def draw_items(preset: Preset, users: Users, prior: np.ndarray) -> Items:
    """users: only their taste for group B's manner, to make both groups equally liked on average."""
    rng, n = stream(preset.seed, "items"), preset.items
    creator_rank = rng.permutation(preset.creators) + 1
    creator_topic = rng.choice(N_TOPICS, size=preset.creators, p=prior)
    weight = 1.0 / (creator_rank + 5.0)
    creator = rng.choice(preset.creators, size=n, p=weight / weight.sum()).astype(np.int32)
    creator_group = _groups(rng, creator, preset.creators)

    own = rng.random(n) < 0.85  # most items stay with their creator's topic
    main = np.where(own, creator_topic[creator], rng.choice(N_TOPICS, size=n, p=prior))
    topics = _mixtures(rng, main, prior)
    language = rng.choice(len(LANGUAGES), size=n, p=_LANGUAGE_SHARES).astype(np.int8)
    sensitivity, sens_score, maturity = _sensitivity(rng, main, language)

    correlated = rng.multivariate_normal([0, 0], [[1, -0.3], [-0.3, 1]], n)
    clickbait = betaincinv(1.5, 4.0, ndtr(correlated[:, 1])) - 1.5 / 5.5
    in_b = creator_group[creator] == 1
    residual = rng.normal(0, RESIDUAL_SD, (n, RESIDUAL_DIMS))
    residual[:, 0] = np.where(in_b, GROUP_MANNER[1], GROUP_MANNER[0]) + rng.normal(0, 0.2, n)
    appeal = rng.normal(0, APPEAL_SD, n) + rng.normal(0, CREATOR_APPEAL_SD, preset.creators)[creator]
    appeal += np.where(in_b, _evening_out(users), 0.0)

    fresh = rng.random(n) < 0.14  # 0.5 % a day come during the history
    age_days = np.where(fresh, rng.random(n) * preset.days, preset.days + rng.exponential(300, n))
    for_sale = rng.random(n) < 0.40
    return Items(
        topics=topics,
        main_topic=main,
        creator=creator,
        language=language,
        maturity=maturity,
        sensitivity=sensitivity,
        sens_score=sens_score,
        regions=_rights(rng, n),
        published_ts=HISTORY_END_TS - age_days * DAY_S,
        duration_s=np.clip(rng.lognormal(4.23, 1.03, n), 5, 7_200).astype(np.float32),
        price=(for_sale * (np.round(rng.lognormal(2.2, 0.6, n)) + 0.99)).astype(np.float32),
        sponsored=rng.random(n) < 0.02,
        in_stock=rng.random(n) < 0.985,
        taste=np.hstack([topics, residual, np.eye(len(LANGUAGES))[language]]).astype(np.float32),
        appeal=appeal.astype(np.float32),
        quality=correlated[:, 0].astype(np.float32),
        clickbait=clickbait.astype(np.float32),
        creator_group=creator_group,
        creator_topic=creator_topic,
        creator_rank=creator_rank,
    )


def draw_follows(preset: Preset, users: Users, items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (user, creator), sorted, each once: followed for their topic, the well known more often."""
    rng = stream(preset.seed, "follows")
    count = np.minimum(40, rng.lognormal(1.1, 0.9, preset.users).astype(np.int64))
    user = np.repeat(np.arange(preset.users), count)
    theta_cdf = np.cumsum(users.theta, axis=1)
    topic = (theta_cdf[user] < rng.random(len(user))[:, None]).sum(axis=1)
    creator = np.empty(len(user), dtype=np.int64)
    for slot in range(N_TOPICS + 1):
        here = np.flatnonzero(topic == slot)
        makers = np.flatnonzero(items.creator_topic == slot)
        if not len(makers):  # a topic nobody specialises in: any creator
            makers = np.arange(preset.creators)
        cdf = np.cumsum(1.0 / items.creator_rank[makers])
        creator[here] = makers[np.searchsorted(cdf, rng.random(len(here)) * cdf[-1])]
    pairs = np.unique(user * preset.creators + creator)
    return pairs // preset.creators, (pairs % preset.creators).astype(np.int32)


def draw_blocks(preset: Preset, follows: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (user, creator): one user in forty has blocked a creator they don't follow."""
    rng = stream(preset.seed, "blocks")
    user = np.flatnonzero(rng.random(preset.users) < 0.025)
    creator = rng.integers(0, preset.creators, len(user)).astype(np.int32)
    followed = np.isin(user * preset.creators + creator, follows[0] * preset.creators + follows[1])
    return user[~followed], creator[~followed]


def _groups(rng: np.random.Generator, creator: np.ndarray, n_creators: int) -> np.ndarray:
    """int8 [C]: creators go to group B, in random order, while it stays under its share of items."""
    size = np.bincount(creator, minlength=n_creators)
    group = np.zeros(n_creators, dtype=np.int8)
    room = GROUP_B_SHARE * len(creator)
    for which in rng.permutation(n_creators):
        if size[which] <= room and size[which] < 0.2 * GROUP_B_SHARE * len(creator):
            group[which] = 1
            room -= size[which]
    return group


def _evening_out(users: Users) -> float:
    """Logits to add to group B, so that the average user clicks an item of it as often as one of A's
    where slates usually lie: at odds of about one to six once it is looked at."""
    manner = users.taste[:, N_TOPICS].astype(np.float64)
    level = -np.log(6.0)
    wanted = expit(level + manner * GROUP_MANNER[0]).mean()
    return float(brentq(lambda b: expit(level + manner * GROUP_MANNER[1] + b).mean() - wanted, -3.0, 3.0))


def _mixtures(rng: np.random.Generator, main: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """float32 [I, N_TOPICS]: one to three topics an item, 1.7 in the mean, rows sum to 1."""
    n = len(main)
    topics = np.zeros((n, N_TOPICS))
    count = rng.choice(3, size=n, p=(0.5, 0.3, 0.2))
    weights = np.array([[1.0, 0.0, 0.0], [0.65, 0.35, 0.0], [0.5, 0.3, 0.2]])[count]
    for place in range(3):
        slot = main if place == 0 else rng.choice(N_TOPICS, size=n, p=prior)
        np.add.at(topics, (np.arange(n), slot), weights[:, place])
    return topics.astype(np.float32)


def _sensitivity(
    rng: np.random.Generator, main: np.ndarray, language: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (int8), classifier scores (float32), least ages (int8). The label is the truth here."""
    n, names = len(main), list(TOPICS)
    unsure = np.zeros(n)
    for topic, share in _UNSURE_TOPICS.items():
        unsure = np.maximum(unsure, share * (main == names.index(topic)))
    for lang, share in _UNSURE_LANGUAGES.items():
        unsure = np.maximum(unsure, share * (language == LANGUAGES.index(lang)))
    truly = rng.random(n) < _SENSITIVE_SHARE
    label = np.zeros(n, dtype=np.int8)
    other = rng.choice([SENSITIVITIES.index(s) for s in ("adult", "gore", "politics", "minors-unsuitable")], size=n)
    label[truly] = other[truly]
    for topic, name in _BY_TOPIC.items():
        label[truly & (main == names.index(topic))] = SENSITIVITIES.index(name)

    mid = rng.random(n) < unsure
    score = np.where(mid, 0.35 + 0.25 * rng.beta(2, 2, n), rng.beta(1.2, 14, n))
    score = np.where(truly, rng.beta(9, 2.2, n), score)
    grown_up = truly & np.isin(label, [SENSITIVITIES.index(name) for name in _ADULTS_ONLY])
    maturity = rng.choice([0, 13, 16, 18], size=n, p=(0.80, 0.12, 0.06, 0.02))
    maturity = np.where(truly, np.maximum(maturity, 16), maturity)
    maturity = np.where(grown_up, 18, maturity)
    return label, score.astype(np.float32), maturity.astype(np.int8)


def _rights(rng: np.random.Generator, n: int) -> np.ndarray:
    """uint16 [I]: four items in five may be shown everywhere, the rest lack some regions."""
    everywhere = (1 << len(REGIONS)) - 1
    allowed = rng.random((n, len(REGIONS))) < 0.6
    allowed[np.arange(n), rng.integers(0, len(REGIONS), n)] = True  # somewhere at least
    bits = (allowed * (1 << np.arange(len(REGIONS)))).sum(axis=1)
    return np.where(rng.random(n) < 0.8, everywhere, bits).astype(np.uint16)
