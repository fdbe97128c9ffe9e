"""Retrieval for many requests at once gives each request what it gets alone: same items, order and scores."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retrieval.core import IMPERSONAL, NOTHING, SOURCES, Covisit, Found, Shelves, merge, top_up
from services.retrieval.many import Shelf

N_ITEMS, N_USERS, N_CREATORS, N_REGIONS = 90, 12, 7, 3
NOW = 1_000_000.0


def catalogue(rng):
    """A small one with many ties: several items come out at the same second, some only later."""
    follows = [rng.choice(N_CREATORS, rng.integers(0, 5), replace=False) for _ in range(N_USERS)]
    return SimpleNamespace(
        item_creator=rng.integers(0, N_CREATORS, N_ITEMS),
        n_users=N_USERS,
        n_items=N_ITEMS,
        item_published_ts=NOW + rng.integers(-40, 8, N_ITEMS) * 600.0,
        item_regions=rng.integers(0, 1 << N_REGIONS, N_ITEMS).astype(np.uint16),
        item_language=rng.integers(0, 8, N_ITEMS).astype(np.int8),
        creator_group=np.zeros(N_CREATORS, np.int8),
        follows=lambda user: follows[user],
        follows_indptr=np.cumsum([0, *map(len, follows)]),
        follows_creator=np.concatenate(follows).astype(np.int32),
    )


def covisit(rng):
    """Rows with gaps, and weights that are often equal."""
    near = np.stack([rng.permutation(N_ITEMS)[:6] for _ in range(N_ITEMS)]).astype(np.int32)
    near[rng.random(near.shape) < 0.3] = -1
    return Covisit(near, rng.choice(np.array([0.0, 0.25, 0.5, 0.7], np.float32), near.shape))


def popular(rng):
    lists = []
    for _ in range(N_REGIONS):
        ids = rng.permutation(N_ITEMS)[: rng.integers(0, 60)]
        lists.append(Found(ids, np.sort(rng.random(len(ids)).astype(np.float32))[::-1]))
    return lists


def same(found, expected):
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.ids.dtype == expected.ids.dtype == np.int64
    assert found.scores.dtype == np.float32
    assert found.scores.tobytes() == expected.scores.tobytes()


class Setting:
    """A world, and requests that ask of it."""

    def __init__(self, seed, n):
        rng = self.rng = np.random.default_rng(seed)
        self.shelves, self.covisit, self.popular = (Shelves(catalogue(rng)), covisit(rng), popular(rng))
        self.many = Shelf(self.shelves, self.covisit, self.popular)
        self.n = n
        self.users = rng.integers(-1, N_USERS + 1, n)
        self.now = NOW + rng.integers(-30, 3, n) * 600.0
        self.region, self.language = rng.integers(0, N_REGIONS, n), rng.integers(-1, 8, n)
        self.recent = np.full((n, 8), -1)
        for row in self.recent:
            clicks = rng.choice(N_ITEMS + 3, rng.integers(0, 8), replace=bool(rng.integers(2)))
            row[: len(clicks)] = clicks

    def nearest(self, width=20):
        ids = np.stack([self.rng.permutation(N_ITEMS)[:width] for _ in range(self.n)])
        for row in ids:
            row[self.rng.integers(0, width + 1) :] = -1
        return ids, self.rng.random(ids.shape).astype(np.float32)


SETTINGS = st.builds(Setting, st.integers(0, 10_000), st.integers(1, 7))
CASES = settings(deadline=None, max_examples=60)


@CASES
@given(SETTINGS, st.integers(1, 40))
def test_every_source_alone(on, n):
    found = {
        "covisit": (on.many.covisit(on.recent, n), lambda i: on.covisit.find(on.recent[i][on.recent[i] >= 0], n)),
        "followed": (on.many.followed(on.users, n, on.now), lambda i: (
            on.shelves.followed(on.shelves.catalogue.follows(on.users[i]), n, on.now[i])
            if 0 <= on.users[i] < N_USERS else NOTHING)),
        "fresh": (on.many.fresh(n, on.now, on.region, on.language), lambda i: (
            on.shelves.fresh(n, on.now[i], int(on.region[i]), int(on.language[i])))),
        "popular": (on.many.popular(on.region, n), lambda i: on.popular[on.region[i]].first(n)),
    }  # fmt: skip
    for lists, alone in found.values():
        for i in range(on.n):
            same(lists.of(i), alone(i))
            assert (lists.ids[i, lists.n[i] :] == -1).all()


@CASES
@given(SETTINGS)
def test_what_is_not_out_yet_is_left_out(on):
    ids, scores = on.nearest()
    lists = on.many.visible(on.many.found(scores, ids, np.arange(on.n), on.n), on.now)
    for i in range(on.n):
        there = ids[i] >= 0
        found = Found(ids[i][there], scores[i][there])
        seen = on.shelves.visible(found.ids, on.now[i])
        same(lists.of(i), Found(found.ids[seen], found.scores[seen]))


@CASES
@given(SETTINGS, st.integers(1, 80), st.lists(st.sampled_from(SOURCES), unique=True))
def test_the_merge_and_what_fills_it_up(on, n_wanted, disabled):
    ids, scores = on.nearest()
    personalised = on.rng.random(on.n) < 0.7
    nobody = np.where(personalised, on.users, -1)
    recent = np.where(personalised[:, None], on.recent, -1)
    ids[~personalised] = -1
    found = {
        "ann": on.many.found(scores, ids, np.arange(on.n), on.n),
        "covisit": on.many.covisit(recent, 9),
        "followed": on.many.followed(nobody, 5, on.now),
        "popular": on.many.popular(on.region, 12),
        "fresh": on.many.fresh(4, on.now, on.region, on.language),
    }
    found = {s: on.many.visible(of, on.now) for s, of in found.items() if s not in disabled}
    merged = on.many.merge(found, n_wanted, on.n)
    filled = on.many.top_up(merged, on.region, on.now, n_wanted)
    for i in range(on.n):
        asked = SOURCES if personalised[i] else IMPERSONAL
        alone = merge({s: of.of(i) for s, of in found.items() if s in asked}, n_wanted)
        deeper = on.popular[on.region[i]].ids
        deeper = deeper[on.shelves.visible(deeper, on.now[i])]
        for many, one in ((merged, alone), (filled, top_up(alone, Found(deeper, NOTHING.scores), n_wanted))):
            n = int(many.n[i])
            assert many.ids[i, :n].tolist() == one.ids.tolist()
            assert many.scores[i, :n].tobytes() == one.scores.tobytes()
            assert many.sources[i, :n].tobytes() == one.sources.tobytes()
            assert (many.ids[i, n:] == -1).all()


def test_neighbours_that_no_item_is_are_found_too_until_the_catalogue_takes_them_out():
    on = Setting(3, 6)
    near = on.covisit.neighbours.copy()
    near[::2, 0] = N_ITEMS + 7
    covisit = Covisit(near, on.covisit.weights)
    many = Shelf(on.shelves, covisit, on.popular)
    lists = many.covisit(on.recent, 9)
    for i, row in enumerate(on.recent):
        same(lists.of(i), covisit.find(row[row >= 0], 9))
    assert (lists.ids == N_ITEMS + 7).any()
    assert (many.visible(lists, on.now).ids < N_ITEMS).all()


def test_nothing_is_left_over_from_one_call_to_the_next():
    on = Setting(1, 5)
    for _ in range(2):
        again = Setting(1, 5)
        on.many.covisit(again.recent[::-1], 30)
        for i, row in enumerate(again.recent):
            same(on.many.covisit(again.recent, 9).of(i), on.covisit.find(row[row >= 0], 9))


def test_no_requests_are_answered_with_no_lists():
    on = Setting(2, 3)
    none = np.zeros(0, np.int64)
    lists = on.many.covisit(np.zeros((0, 20), np.int64), 9)
    assert lists.ids.shape[0] == 0
    merged = on.many.merge({"covisit": lists}, 10, 0)
    assert on.many.top_up(merged, none, np.zeros(0), 10).ids.shape[0] == 0
