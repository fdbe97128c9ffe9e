"""What the stack answers, in one process: a batch changes nothing, and refusals change nothing either."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from sandbox.base.arms import arm_of
from sandbox.base.artefacts import pack_arrays
from sandbox.base.config import Canary, Config, ModelConfig, RankingConfig, RetrievalConfig, RulesConfig, Shadow
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION, Rows, Status
from sandbox.pipeline.index import dump
from sandbox.pipeline.ivf import inverted
from sandbox.virtual.answers.content import Content, Request
from services.gateway.stages import UserRows
from services.ranking.core import INPUTS
from services.retrieval.core import popular_by_region
from tests.services.artefacts import everything, ranker, register, two_tower
from tests.services.harness import N_ITEMS, N_USERS, NO_CONSENT, WORLD_START, catalogue

RNG = np.random.default_rng(5)
STATS = RNG.random((N_ITEMS, len(ITEM_STATS.columns))).astype(np.float32)


def item_rows(ids, now):
    """Every item but the 30th has a row."""
    status = np.where(ids == 30, Status.MISSING, Status.PRESENT).astype(np.uint8)
    values = np.where((ids == 30)[:, None], ITEM_STATS.default_row, STATS[ids])
    return Rows(values, np.full(len(ids), now - 60), status, np.ones(len(ids), np.uint64))


def user_rows(user):
    """User 2 is new; the others clicked and were shown something."""
    if user in (2, NO_CONSENT):
        return UserRows.unknown()
    rng = np.random.default_rng(user)
    profile = rng.random(len(USER_PROFILE.columns)).astype(np.float32)
    recent = rng.choice(N_ITEMS, 1 + user % 5, replace=False)
    session = USER_SESSION.default_row
    session[3 : 3 + len(recent)] = recent
    return UserRows(profile, session, recent, rng.choice(N_ITEMS, 12, replace=False), "regular")


def asked(user, k=10, depth=1):
    region = int(catalogue().user_region[user])
    return Request(user, 100 + user, depth, region, k, user != NO_CONSENT, WORLD_START + 10 * user)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    world = tmp_path_factory.mktemp("world")
    (world / "public").mkdir()
    catalogue().save(world / "public" / "catalogue.npz")
    everything(world)
    ranker(world / "registry", "rk-2", seed=2)
    two_tower(world / "registry", 2)
    return world / "registry"


@pytest.fixture
def content(registry):
    made = Content(registry.parent, (registry,), seed=1)
    made.configure(Config())
    return made


REQUESTS = [asked(u, k) for u, k in zip(range(N_USERS), [10, 5, 20, 7] * 5, strict=True)]
ROWS = [user_rows(a.user) for a in REQUESTS]


def same(one, other):
    """Two answers agree bit for bit."""
    assert list(one.found) == list(other.found)
    for source, found in one.found.items():
        assert found.ids.tolist() == other.found[source].ids.tolist()
        assert found.scores.tobytes() == other.found[source].scores.tobytes()
    for name in ("ids", "scores", "masks", "encoder_version", "index_version", "failed"):
        mine, theirs = getattr(one.candidates, name), getattr(other.candidates, name)
        assert np.array_equal(mine, theirs), name
    assert one.candidates.names == other.candidates.names
    assert one.x.tobytes() == other.x.tobytes()
    assert one.probabilities.tobytes() == other.probabilities.tobytes()
    assert one.ranked.order.tolist() == other.ranked.order.tolist()
    assert one.ranked.scores.tobytes() == other.ranked.scores.tobytes()
    assert (one.slate.rows, one.slate.propensity) == (other.slate.rows, other.slate.propensity)
    assert one.slate.decisions == other.slate.decisions


def test_an_answer_does_not_depend_on_who_else_is_in_the_batch(content):
    together = content.healthy(REQUESTS, ROWS, item_rows)
    alone = [content.healthy([a], [r], item_rows)[0] for a, r in zip(REQUESTS, ROWS, strict=True)]
    backwards = content.healthy(REQUESTS[::-1], ROWS[::-1], item_rows)[::-1]
    for one, other, third in zip(together, alone, backwards, strict=True):
        same(one, other)
        same(one, third)


def test_the_stages_alone_give_what_the_batch_gave(content):
    for a, r, whole in zip(REQUESTS, ROWS, content.healthy(REQUESTS, ROWS, item_rows), strict=True):
        depth = content.ann_depth(a)
        ann = content.search(content.encode(a, r), depth) if depth else None
        found, candidates = content.retrieve(a, r, ann, False)
        stats = item_rows(candidates.ids, a.now)
        x = content.inputs(a, r, candidates, stats)
        p = content.score(a, candidates, x)
        ranked = content.rank(candidates, stats, p, version="rk-1")
        slate = content.apply_rules(a, r, candidates, ranked)
        same(type(whole)(r, lambda found=found: found, candidates, stats, x, p, ranked, slate), whole)


def test_a_user_without_consent_is_answered_as_one_who_is_unknown(content):
    known = user_rows(3)
    (answer,) = content.healthy([asked(NO_CONSENT)], [known], item_rows)
    (other,) = content.healthy([asked(NO_CONSENT)], [UserRows.unknown()], item_rows)
    same(answer, other)
    assert set(answer.found) == {"popular", "fresh"}
    assert (answer.candidates.encoder_version, answer.candidates.index_version) == ("", "")
    assert answer.ranked.model_version == "rk-1"
    assert len(answer.slate.rows) == 10


def test_a_canary_answers_its_users_as_if_it_were_live_and_nobody_else_notices(content):
    canary = Canary(version="rk-2", share=0.4, salt="one", until_ts=REQUESTS[15].now)
    before = content.healthy(REQUESTS, ROWS, item_rows)
    content.configure(Config(model=ModelConfig(ranker="rk-2")))
    were_it_live = content.healthy(REQUESTS, ROWS, item_rows)

    content.configure(Config(model=ModelConfig(canary=canary, shadow=Shadow(version="rk-2"))))
    found = content.healthy(REQUESTS, ROWS, item_rows)

    its_users = {a.user for a in REQUESTS[:15] if arm_of(a.user, canary) == "canary"}
    assert 3 <= len(its_users) <= 12
    for a, r, answer, old, new in zip(REQUESTS, ROWS, found, before, were_it_live, strict=True):
        same(answer, new if a.user in its_users else old)
        same(answer, content.healthy([a], [r], item_rows)[0])
        assert answer.ranked.model_version == ("rk-2" if a.user in its_users else "rk-1")
        assert content.score(a, answer.candidates, answer.x).tobytes() == answer.probabilities.tobytes()


def test_a_canary_that_takes_other_columns_falls_back_for_its_users_alone(content, registry):
    ranker(registry, "rk-3", seed=3, inputs=INPUTS[:-1])
    canary = Canary(version="rk-3", share=0.4, salt="one", until_ts=WORLD_START + 1e6)
    content.configure(Config(model=ModelConfig(canary=canary)))

    for a, answer in zip(REQUESTS, content.healthy(REQUESTS, ROWS, item_rows), strict=True):
        refused = arm_of(a.user, canary) == "canary"
        assert (answer.probabilities is None, answer.ranked.fell_back) == (refused, refused)
        assert answer.ranked.model_version == ("" if refused else "rk-1")


def test_without_item_rows_or_scores_the_answer_falls_back(content):
    a, r = REQUESTS[3], ROWS[3]
    (whole,) = content.healthy([a], [r], item_rows)
    blind = content.rank(whole.candidates, None, whole.probabilities, version="rk-1")
    assert (blind.fell_back, blind.missing_share, blind.model_version) == (True, 1.0, "rk-1")
    stats = item_rows(whole.candidates.ids, a.now)
    spoiled = whole.probabilities.copy()
    spoiled[0, 0] = np.nan
    for p in (None, spoiled, whole.probabilities[:-1]):
        prior = content.rank(whole.candidates, stats, p, version="rk-1")
        assert (prior.fell_back, prior.model_version) == (True, "")
        assert prior.scores.tolist() == stats.values[:, ITEM_STATS.columns.index("ctr_28d")].tolist()
    assert whole.ranked.fell_back is False
    assert 0 < whole.ranked.missing_share < 1


def test_where_scores_that_are_no_numbers_pass_their_items_stand_last(content):
    content.configure(Config(ranking=RankingConfig(nonfinite="pass")))
    a, whole = REQUESTS[3], content.healthy([REQUESTS[3]], [ROWS[3]], item_rows)[0]
    spoiled = whole.probabilities.copy()
    spoiled[whole.ranked.order[:5]] = np.nan

    ranked = content.rank(whole.candidates, item_rows(whole.candidates.ids, a.now), spoiled, version="rk-1")

    content.configure(Config())
    assert (ranked.fell_back, ranked.model_version) == (False, "rk-1")
    assert sorted(ranked.order[-5:]) == sorted(whole.ranked.order[:5])
    assert list(ranked.order[:-5]) == list(whole.ranked.order[5:])


def test_cells_that_are_not_finite_count_as_nothing(content):
    a, r = REQUESTS[3], ROWS[3]
    broken = UserRows(r.profile.copy(), r.session.copy(), r.recent, r.seen)
    broken.profile[5] = np.inf
    (answer,) = content.healthy([a], [broken], item_rows)
    assert answer.ranked.fell_back
    assert answer.ranked.model_version == "rk-1"
    assert np.isfinite(answer.probabilities).all()


def test_where_no_source_finds_anything_the_popular_slate_stands_in(content):
    content.configure(Config(retrieval=RetrievalConfig(disabled=["ann", "covisit", "followed", "popular", "fresh"])))
    (answer,) = content.healthy([REQUESTS[0]], [ROWS[0]], item_rows)
    assert answer.found == {}
    assert answer.candidates.failed
    assert answer.candidates.ids.tolist() == list(range(20, 50))
    assert content.safe_slate(REQUESTS[0]).tolist() == list(range(20, 30))


def test_a_configuration_is_taken_whole_or_not_at_all(content):
    content.configure(Config(model=ModelConfig(ranker="rk-2", keep_loaded=["rk-1"])))
    before, model = content.loaded, content.loaded.rankers["rk-1"]
    for refused, code in (
        (Config(model=ModelConfig(ranker="rk-9")), "MODEL-001"),
        (Config(model=ModelConfig(shadow=Shadow(version="rk-9"))), "MODEL-001"),
        (Config(model=ModelConfig(keep_loaded=["rk-9"])), "MODEL-001"),
        (Config(retrieval=RetrievalConfig(index_version="ix-9")), "MODEL-001"),
        (Config(ranking=RankingConfig(contract=["user_profile.nothing"])), "MODEL-003"),
        (Config(ranking=RankingConfig(weights=[1.0])), "CFG-001"),
        (Config(rules=RulesConfig(rules=[{"id": "astrology"}])), "CFG-003"),
    ):
        with pytest.raises(SandboxError) as error:
            content.configure(refused)
        assert error.value.kind.code == code
        assert content.loaded is before
    content.configure(Config(retrieval=RetrievalConfig(index_version="ix-2"), model=ModelConfig(two_tower="tt-2")))
    (answer,) = content.healthy([REQUESTS[0]], [ROWS[0]], item_rows)
    assert content.loaded.rankers["rk-1"] is model
    assert answer.ranked.model_version == "rk-1"
    assert (answer.candidates.encoder_version, answer.candidates.index_version) == ("tt-2", "ix-2")


def test_a_missing_artefact_costs_its_source(registry, tmp_path):
    place = tmp_path / "world"
    shutil.copytree(registry.parent, place)
    shutil.rmtree(place / "registry" / "covisit")
    content = Content(place, (place / "registry",), seed=1)
    content.configure(Config())
    (answer,) = content.healthy([REQUESTS[3]], [ROWS[3]], item_rows)
    assert "covisit" not in answer.found
    assert answer.candidates.failed


def test_an_inverted_file_searches_as_many_lists_as_the_configuration_says(registry, content):
    vectors = content.loaded.index.vectors
    packed = {
        "index.faiss": dump(inverted(vectors, lists=6, nprobe=6, seed=1)),
        "vectors.safetensors": pack_arrays({"vectors": vectors}),
    }
    register(registry, "index", "ix-ivf", packed, parents={"two_tower": "tt-1"})
    slates = []
    for nprobe in (None, 1, None):
        content.configure(Config(retrieval=RetrievalConfig(index_version="ix-ivf", nprobe=nprobe)))
        together = content.healthy(REQUESTS, ROWS, item_rows)
        for a, r, whole in zip(REQUESTS, ROWS, together, strict=True):
            same(whole, content.healthy([a], [r], item_rows)[0])
        slates.append([whole.found["ann"].ids.tolist() for whole in together if "ann" in whole.found])
    assert slates[0] == slates[2]
    assert sum(map(len, slates[1])) < sum(map(len, slates[0]))


def test_lists_of_a_later_batch_job_take_over(content):
    def popular_of(answer):
        return answer.found["popular"].ids.tolist()

    [before] = content.healthy(REQUESTS[:1], ROWS[:1], item_rows)
    others = content.sources.popular_items[:, ::-1].copy()
    later = popular_by_region(others, np.ones(others.shape, np.float32))

    content.restock(replace(content.sources, popular=later, popular_items=others))

    [after] = content.healthy(REQUESTS[:1], ROWS[:1], item_rows)
    assert popular_of(after) != popular_of(before)
    assert set(popular_of(after)) <= set(others[REQUESTS[0].region].tolist())
