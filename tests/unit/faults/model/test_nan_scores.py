import numpy as np

from services.gateway.core import by_score
from services.ranking.core import combine
from services.skeleton.seams import Call

ITEMS = np.arange(2_000)
SCORES = np.linspace(0.9, 0.1, 2_000 * 3, dtype=np.float32).reshape(-1, 3)


def scored(bench, op="Score", items=ITEMS, **spec):
    armed = bench(fault="nan-scores", **spec)
    payload = (np.full(len(items), 3), items, np.zeros((len(items), 4), np.float32))
    return armed.send(Call("model", "model", "rk-1", op, user=3, region=0, payload=payload), SCORES[items])[0]


def spoilt(scores):
    return np.isnan(scores).all(axis=1)


def test_that_share_of_the_items_has_no_score_and_the_others_have_theirs(bench):
    scores = scored(bench, params={"item_share": 0.1})

    assert 0.07 < spoilt(scores).mean() < 0.13
    assert np.array_equal(scores[~spoilt(scores)], SCORES[~spoilt(scores)])


def test_the_same_items_in_every_request_and_others_in_another_drill(bench):
    assert np.array_equal(spoilt(scored(bench)), spoilt(scored(bench)))
    assert np.array_equal(spoilt(scored(bench))[:50], spoilt(scored(bench, items=ITEMS[:50])))
    assert not np.array_equal(spoilt(scored(bench)), spoilt(scored(bench, seed=9)))


def test_where_they_pass_their_items_stand_last(bench):
    scores = scored(bench, params={"item_share": 0.3})

    order = by_score(combine(scores, np.ones(3, np.float32)))

    n = int(spoilt(scores).sum())
    assert spoilt(scores)[order[-n:]].all()


def test_encoding_and_other_users_are_untouched(bench):
    assert not np.isnan(scored(bench, op="EncodeUser")).any()
    assert not np.isnan(scored(bench, scope={"user_buckets": [50, 100]})).any()
