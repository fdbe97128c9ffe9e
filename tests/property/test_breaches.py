"""The measure of breaches agrees with the rules that ship: what they let through is none, what they drop is one."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.catalogue import AGE_BANDS, REGIONS, SENSITIVITIES, Catalogue
from sandbox.base.config import RulesConfig
from sandbox.virtual.people.breaches import RULES, Breaches, against_policy
from services.gateway.core import safe_items
from services.rules.core import Visit, apply
from services.rules.server import policy_of
from tests.unit.services.test_rules import NOW, small_catalogue

N = 60
SEEDS = st.integers(0, 2**32 - 1)
# Scores about the thresholds, for minors and for all, and on them.
SCORES = np.array([0.0, 0.5, 0.59999, 0.6, 0.60001, 0.7, 0.74999, 0.75, 0.9, 1.0], np.float32)


def some_catalogue(seed: int) -> Catalogue:
    """Sixty items with every kind of label; users of all ages, from everywhere."""
    draw, catalogue = np.random.default_rng(seed), small_catalogue(N)
    catalogue.item_maturity[:] = draw.choice([0, 0, 13, 16, 18], N)
    catalogue.item_sensitivity[:] = draw.integers(0, len(SENSITIVITIES), N) * (draw.random(N) < 0.5)
    catalogue.item_sens_score[:] = draw.choice(SCORES, N)
    catalogue.item_regions[:] = draw.integers(0, 1 << len(REGIONS), N)
    catalogue.item_published_ts[:] = NOW - draw.exponential(2e5, N)
    catalogue.user_age_band[:] = draw.integers(0, len(AGE_BANDS), catalogue.n_users)
    catalogue.user_region[:] = draw.integers(0, len(REGIONS), catalogue.n_users)
    return catalogue


def everybody(catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    users = np.arange(catalogue.n_users)
    return users, np.tile(np.arange(N), (len(users), 1))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_what_the_shipped_rules_drop_is_a_breach_and_what_they_let_through_is_none(seed):
    catalogue = some_catalogue(seed)
    policy = policy_of(RulesConfig(), catalogue, [], seed)
    users, items = everybody(catalogue)
    breach = Breaches(catalogue).of(users, items)

    for user in users.tolist():
        visit = Visit(user, int(catalogue.user_region[user]), 1, 1)
        score = np.linspace(1, 0, N, dtype=np.float32)
        slate = apply(policy, visit, items[user], score, np.zeros(0, np.int64), N, NOW)
        dropped = {
            rule: {row for drop in slate.dropped if drop.rule == rule for row in drop.rows.tolist()}
            for rule in (*RULES, "blocked_creator")
        }
        against = set().union(*(dropped[rule] for rule in RULES))
        breaches = set(np.flatnonzero(breach[user]).tolist())
        assert not breaches & set(slate.rows), "what is shown is no breach"
        assert against <= breaches, "what is dropped as against policy is one"
        assert breaches <= against | dropped["blocked_creator"], "and nothing else is"


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_the_slate_that_no_rule_has_seen_holds_no_breach_either(seed):
    catalogue = some_catalogue(seed)
    measure = Breaches(catalogue)

    for user in range(catalogue.n_users):
        region = int(catalogue.user_region[user])
        shown = safe_items(np.arange(N), catalogue, user=user, region=region, now=NOW, k=N)
        assert not measure.of(np.array([user]), shown[None, :]).any()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_who_has_only_the_lake_counts_the_same(seed):
    catalogue = some_catalogue(seed)
    users, items = everybody(catalogue)
    con = duckdb.connect()
    con.register("item_columns", {
        "item_id": np.arange(N), "age_rating": catalogue.item_maturity.astype(int),
        "sens_score": catalogue.item_sens_score.astype(float),
        "sensitivity": np.array(SENSITIVITIES)[catalogue.item_sensitivity],
        "regions": np.array([
            ",".join(name for bit, name in enumerate(REGIONS) if rights >> bit & 1)
            for rights in catalogue.item_regions.tolist()
        ]),
    })  # fmt: skip
    con.register("user_columns", {
        "user_id": users, "age_band": np.array(AGE_BANDS)[catalogue.user_age_band],
        "home_region": np.array(REGIONS)[catalogue.user_region],
    })  # fmt: skip
    found = con.execute(
        f"SELECT user_id, item_id FROM item_columns t, user_columns u WHERE {against_policy('t', 'u')}"
    ).fetchall()
    con.close()

    breach = Breaches(catalogue).of(users, items)
    assert sorted(found) == [(int(u), int(i)) for u, i in np.argwhere(breach)]


@pytest.mark.parametrize("label", ["gore", "adult"])
def test_a_label_that_the_rules_did_not_know_in_time_excuses_nothing(label):
    catalogue = small_catalogue(2)
    catalogue.item_sensitivity[0] = SENSITIVITIES.index(label)
    catalogue.item_published_ts[:] = NOW
    late = RulesConfig()
    late.sensitivity.label_delay_s = 3_600.0
    policy = policy_of(late, catalogue, [], 1)
    user = int(np.flatnonzero(catalogue.user_age_band > 1)[0])

    visit = Visit(user, int(catalogue.user_region[user]), 1, 1)
    score = np.array([1.0, 0.5], np.float32)
    slate = apply(policy, visit, np.arange(2), score, np.zeros(0, np.int64), 2, NOW)

    assert sorted(slate.rows) == [0, 1]
    assert Breaches(catalogue).of(np.array([user]), np.array([[0, 1]])).tolist() == [[True, False]]
