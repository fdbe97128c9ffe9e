"""What a source lacks, filled in: every draw belongs to its user, item or creator, so that the same
source gives the same world. docs/worlds.md lists what is filled in, and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from sandbox.base.catalogue import LANGUAGES, REGIONS, SENSITIVITIES, Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.streams import uniforms
from sandbox.world.importers import recognise
from sandbox.world.importers.lots import Gaps, draw, is_stated, languages, normal, numbers
from sandbox.world.importers.people import blocks_of, complete_users, follows_of
from sandbox.world.importers.rows import decimal
from sandbox.world.importers.source import Entities, Source
from sandbox.world.importers.times import read_dates

GROUP_B_SHARE = 0.22  # of the items, by creator
_ITEM_LANGUAGE_SHARE = (0.72, 0.06, 0.05, 0.06, 0.04, 0.03, 0.03, 0.01)
_FOR_CHILDREN = ("child", "kids", "famil", "animation")
_FOR_ADULTS = ("horror", "war", "crime", "noir", "adult")
_PER_CREATOR = 6  # items of a made-up creator, about


@dataclass
class Filled:
    """A catalogue without gaps, and what the public tables hold beside it.

    filled: attributes that came from streams, or that were stated and could not be kept -> of how many
    items, users or creators; for the person who imports.
    creator_name: [creators]. topic_names: slots in use. sens_labelled_ts: float64 [items].
    """

    catalogue: Catalogue
    topic_names: list[str]
    creator_name: list[str]
    sens_labelled_ts: np.ndarray
    filled: dict[str, int]


def complete(
    source: Source, seed: int, names: list[str], topics: np.ndarray, manner: np.ndarray, start_ts: float, end_ts: float
) -> Filled:
    """Fill in what the source lacks.

    names, topics: topic slots, as `recognise.topic_slots` gives them. manner: float64 [items], where
    an item lies along the axis on which tastes for it differ most, beyond topics; made-up creators
    and creator groups go by it. start_ts, end_ts: world seconds, the history.
    """
    items, users, log = source.items, source.users, source.log
    n = len(items)
    gaps = Gaps()
    gaps.add("title", ~is_stated(items, "title"))
    gaps.add("topics beyond the most frequent, as other", _beyond(items, names))
    published = _published(source, seed, start_ts, gaps)
    creator, creator_name = _creators(items, topics, names, published, manner, gaps)
    who = np.arange(n)
    drawn = draw(uniforms(seed, "fill/creator-language", creator), _ITEM_LANGUAGE_SHARE)
    language = languages(items, drawn, "item language", gaps)
    adult = _has_topic(topics, names, _FOR_ADULTS)
    child = _has_topic(topics, names, _FOR_CHILDREN)
    maturity = _maturity(items, seed, adult, child, gaps)
    sensitivity, score, labelled = _sensitivity(seed, language, adult, child, published, end_ts)
    gaps.every(n, "sensitivity", "region rights", "sponsored")
    gaps.every(len(creator_name), "followers", "creator group")
    duration = numbers(items, "duration_s", 1.0, lambda: np.exp(4.23 + 1.03 * normal(seed, "dur", who)), gaps)
    price = numbers(
        items,
        "price",
        0.0,
        lambda: np.where(
            uniforms(seed, "fill/for-sale", who) < 0.3, np.round(np.exp(2.3 + 0.7 * normal(seed, "price", who)), 2), 0
        ),
        gaps,
    )
    counts = np.bincount(creator[log.item], minlength=len(creator_name))
    follows = follows_of(log, creator, len(users), seed)
    people = complete_users(users, log, seed, start_ts, end_ts, gaps)
    catalogue = Catalogue(
        item_topics=topics,
        item_creator=creator.astype(np.int32),
        item_language=language.astype(np.int8),
        item_maturity=maturity.astype(np.int8),
        item_sensitivity=sensitivity.astype(np.int8),
        item_sens_score=score.astype(np.float32),
        item_regions=_rights(seed, who),
        item_published_ts=published,
        item_duration_s=duration.astype(np.float32),
        item_price=price.astype(np.float32),
        item_sponsored=uniforms(seed, "fill/sponsored", who) < 0.02,
        creator_group=_groups(creator, len(creator_name), manner, seed),
        creator_followers=np.round(
            10 * (1 + counts) * np.exp(0.5 * normal(seed, "fans", np.arange(len(creator_name))))
        ).astype(np.int32),
        follows_indptr=follows[0],
        follows_creator=follows[1],
        **people,
        **blocks_of(len(users), len(creator_name), follows, seed),
    )
    return Filled(catalogue, names, creator_name, labelled, dict(sorted(gaps.items())))


def _has_topic(topics: np.ndarray, names: list[str], words: tuple[str, ...]) -> np.ndarray:
    slots = [i for i, name in enumerate(names) if any(w in name.casefold() for w in words)]
    return np.asarray(topics[:, slots].sum(axis=1) > 0)


def _beyond(items: Entities, names: list[str]) -> int:
    """Items with a topic that has no slot of its own."""
    if not names or names[-1] != recognise.OTHER:
        return 0
    return recognise.without_slot(items.text("topics"), names)


def _published(source: Source, seed: int, start_ts: float, gaps: Gaps) -> np.ndarray:
    """float64 [items], never after the first interaction."""
    texts = source.items.text("published")
    known, stated = read_dates(texts), is_stated(source.items, "published")
    first = np.full(len(texts), np.inf)
    np.minimum.at(first, source.log.item, source.log.ts)
    first[np.isinf(first)] = start_ts
    age = -30 * DAY_S * np.log1p(-uniforms(seed, "fill/published", np.arange(len(texts))))
    missing = np.isnan(known)
    gaps.add("published", missing & ~stated)
    gaps.add("published, stated but not readable", missing & stated)
    gaps.add("published, stated after the first interaction", known > first)
    return np.asarray(np.where(missing, first - age, np.minimum(known, first)))


def _creators(
    items: Entities, topics: np.ndarray, names: list[str], published: np.ndarray, manner: np.ndarray, gaps: Gaps
) -> tuple[np.ndarray, list[str]]:
    """Creator of each item: the source's, else made up within a topic and five years."""
    mapped = items.text("creator")
    main = np.where(topics.sum(axis=1) > 0, topics.argmax(axis=1), -1)
    place: dict[str, list[int]] = {}
    for row, name in enumerate(mapped):
        if not name:
            year = datetime.fromtimestamp(published[row], UTC).year // 5 * 5
            topic = names[main[row]] if main[row] >= 0 else "various"
            name = f"\0{topic.capitalize()} studio of {year}"
        place.setdefault(name, []).append(row)
    creator = np.zeros(len(items), dtype=np.int64)
    creator_name: list[str] = []
    for name, members in place.items():
        if not name.startswith("\0"):
            creator[members] = len(creator_name)
            creator_name.append(name[:80])
            continue
        wanted = -(-len(members) // _PER_CREATOR)
        place_in_manner = np.argsort(np.argsort(manner[members], kind="stable"), kind="stable")
        # Sizes fall off, as they do among real creators; a creator keeps to one manner.
        share = (place_in_manner + 0.5) / len(members)
        which = np.minimum((wanted * share**1.7).astype(np.int64), wanted - 1)
        used, dense = np.unique(which, return_inverse=True)
        creator[members] = len(creator_name) + dense
        creator_name += [f"{name[1:]} {k + 1}" for k in range(len(used))]
    gaps.add("creator", sum(not name for name in mapped))
    gaps.add("creator, cut to 80 characters", sum(len(name) > 80 for name in mapped))
    return creator, creator_name


def _groups(creator: np.ndarray, n_creators: int, manner: np.ndarray, seed: int) -> np.ndarray:
    """int8 [creators]: group B is a manner: the creators furthest along it, with some luck, until the
    group has its share of the items."""
    sizes = np.bincount(creator, minlength=n_creators)
    mean = np.bincount(creator, weights=manner, minlength=n_creators) / np.maximum(1, sizes)
    rank = mean / (mean.std() + 1e-9) + 0.4 * normal(seed, "group", np.arange(n_creators))
    order = np.argsort(-rank, kind="stable")
    order = order[sizes[order] < GROUP_B_SHARE * len(creator)]  # no giant makes up the group
    inside = np.cumsum(sizes[order]) - sizes[order] / 2 < GROUP_B_SHARE * len(creator)
    group = np.zeros(n_creators, dtype=np.int8)
    group[order[inside]] = 1
    return group


def _maturity(items: Entities, seed: int, adult: np.ndarray, child: np.ndarray, gaps: Gaps) -> np.ndarray:
    who = np.arange(len(items))
    luck = uniforms(seed, "fill/maturity", who) * np.where(adult, 0.35, 1.0)
    drawn = np.select([child, luck < 0.02, luck < 0.08, luck < 0.2], [0, 18, 16, 13], 0)
    stated = np.array([decimal(text) for text in items.text("min_age")])
    missing, said = np.isnan(stated), is_stated(items, "min_age")
    gaps.add("maturity", missing & ~said)
    gaps.add("maturity, stated but not readable", missing & said)
    bounds = np.select([stated <= 0, stated <= 13, stated <= 16], [0, 13, 16], 18)
    gaps.add("maturity, stated between 0, 13, 16 and 18", ~missing & (bounds != stated))
    return np.where(np.isnan(stated), drawn, bounds)


def _sensitivity(
    seed: int, language: np.ndarray, adult: np.ndarray, child: np.ndarray, published: np.ndarray, end_ts: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, classifier score and time of the label. About 3 % of the items are sensitive; the
    classifier is unsure of harmless items in two of the languages."""
    who = np.arange(len(language))
    luck = uniforms(seed, "fill/sensitive", who) * np.where(adult, 0.6, 1.0)
    truth = (luck < 0.027) & ~child
    kinds = len(SENSITIVITIES) - 1
    kind = 1 + np.minimum((kinds * uniforms(seed, "fill/sensitive-kind", who)).astype(int), kinds - 1)
    unsure = np.isin(language, [LANGUAGES.index("tr"), LANGUAGES.index("pl")])
    unsure &= uniforms(seed, "fill/unsure", who) < 0.6
    noise = uniforms(seed, "fill/sens-score", who)
    score = np.select([truth, unsure], [0.62 + 0.37 * noise, 0.35 + 0.25 * noise], 0.3 * noise**2)
    labelled = np.minimum(published + 3_600 * (1 + 47 * noise), end_ts)
    return np.where(truth, kind, 0), score, labelled


def _rights(seed: int, who: np.ndarray) -> np.ndarray:
    """uint16 [items]: all regions, but for one in twelve items that lacks one or two."""
    bits = np.full(len(who), (1 << len(REGIONS)) - 1, dtype=np.uint16)
    for purpose, share in (("fill/rights-1", 0.083), ("fill/rights-2", 0.03)):
        lacks = uniforms(seed, purpose, who) < share
        region = (len(REGIONS) * uniforms(seed, purpose + "/region", who)).astype(np.uint16)
        bits = np.where(lacks, bits & ~(np.uint16(1) << region), bits).astype(np.uint16)
    return bits
