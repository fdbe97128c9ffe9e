"""The rules for many requests at once: each slate, its chances and its decisions are those it gets alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.catalogue import REGIONS
from sandbox.base.config import Rule, SensitivityList
from services.rules import document, many
from services.rules.core import Dropped, Slate, Visit, apply
from services.rules.many import LateSlate, apply_many
from services.rules.policy import Policy
from tests.unit.services.test_rules import NOW, RULES, policy_of, small_catalogue

N = 120


def varied_policy(rng: np.random.Generator, explore_share: float, **document_of) -> Policy:
    """Items with every kind of label; topics one at a time or halves of two, so that ties are true ties."""
    catalogue = small_catalogue(N)
    first, second = rng.integers(0, 24, (2, N))
    catalogue.item_topics[:] = 0
    for topic in (first, np.where(rng.random(N) < 0.5, first, second)):
        catalogue.item_topics[np.arange(N), topic] += 0.5
    catalogue.item_creator[:] = rng.integers(0, 30, N)
    catalogue.item_maturity[:] = rng.choice([0, 0, 0, 13, 16, 18], N)
    catalogue.item_sensitivity[:] = rng.choice([0, 0, 0, 0, 1, 2, 7], N)
    catalogue.item_sens_score[:] = rng.random(N) * 0.8
    catalogue.item_regions[:] |= rng.integers(0, 1 << len(REGIONS), N).astype(np.uint16)
    catalogue.item_regions[rng.random(N) < 0.1] = 2
    catalogue.item_sponsored[:] = rng.random(N) < 0.05
    catalogue.item_published_ts[:] = NOW - rng.integers(0, 60, N) * 3600.0
    sensitivity = SensitivityList(label_delay_s=float(rng.choice([0, 0, 86_400])))
    return policy_of(catalogue, explore_share=explore_share, sensitivity=sensitivity, **document_of)


def requests(rng, n, spoiled):
    """Candidates of n visits, best score first, with ties; some of `spoiled` hold what no model sends."""
    visits, ids, scores, seen = [], [], [], []
    for i in range(n):
        size = int(rng.integers(1, 90))
        visits.append(Visit(int(rng.integers(-1, 5)), int(rng.integers(0, len(REGIONS))), int(rng.integers(0, 2**63)), int(rng.integers(0, 9))))  # fmt: skip
        ids.append(rng.permutation(N)[:size])
        score = rng.random(size) if rng.random() < 0.5 else rng.integers(0, 12, size) / 8
        scores.append(np.sort(score.astype(np.float32))[::-1])
        seen.append(rng.choice(N + 5, int(rng.integers(0, 25)), replace=False))
        if i in spoiled:
            kind = rng.integers(0, 4)
            if kind == 0:
                ids[i][-1] = ids[i][0]
            elif kind == 1:
                ids[i][0] = N + 3
            elif kind == 2:
                scores[i] = scores[i].copy()
                scores[i][rng.integers(0, size)] = np.nan
            else:
                ids[i], scores[i] = ids[i][:0], scores[i][:0]
    return visits, ids, scores, seen


def told(slate: Slate):
    dropped = [(d.rule, d.seq, d.rows.tolist(), d.factor.tolist()) for d in slate.dropped]
    return slate.rows, slate.propensity, slate.randomised, dropped, slate.decisions


def check(policy, rng, n, spoiled, k):
    visits, ids, scores, seen = requests(rng, n, spoiled)
    now = NOW + rng.integers(0, 5, n) * 1800.0
    together = apply_many(policy, visits, ids, scores, seen, k, now)
    for i, slate in enumerate(together):
        alone = apply(policy, visits[i], ids[i], scores[i], seen[i], k, float(now[i]))
        if any(slate.randomised):  # what is written of every request, without the rest being made
            said = slate.explored(policy.rules["exploration"])
            assert said == [d for d in alone.decisions if d.rule == "exploration"]
        assert told(slate) == told(alone)
        assert all(isinstance(drop, Dropped) for drop in slate.dropped)
    return together


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(1, 7), st.sets(st.integers(0, 6), max_size=2),
    st.integers(1, 20), st.sampled_from([0.0, 0.015, 0.2, 1.0]),
)  # fmt: skip
def test_every_slate_is_the_one_it_gets_alone(seed, n, spoiled, k, share):
    rng = np.random.default_rng(seed)
    check(varied_policy(rng, share), rng, n, spoiled, k)


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(0, 10**6))
def test_whatever_the_document_of_rules_says(data, seed):
    """Rules left out, switched off, in another order, with other parameters."""
    rng = np.random.default_rng(seed)
    rules = data.draw(st.permutations([rule.id for rule in RULES]))
    rules = rules[: data.draw(st.integers(1, len(rules)))]
    params = {
        "creator_cap": {"max_per_slate": data.draw(st.integers(1, 4))},
        "diversity": {"relevance_weight": data.draw(st.sampled_from([0.0, 0.5, 0.85, 1.0]))},
        "sponsored": {"position": data.draw(st.integers(1, 12))},
        "seen": {"refill": data.draw(st.booleans())},
        "freshness": {"boost": data.draw(st.sampled_from([0.0, 0.1, 3.0]))},
    }
    off = data.draw(st.sets(st.sampled_from(rules), max_size=2))
    written = [Rule(id=r, enabled=r not in off, params=params.get(r, {})) for r in rules]
    policy = varied_policy(rng, data.draw(st.sampled_from([0.0, 0.3])), rules=written)
    assert [c.id for c in document.checked(written)] == rules
    check(policy, rng, 4, set(), data.draw(st.integers(1, 14)))


def test_usual_requests_are_not_left_to_the_rules_of_one():
    rng = np.random.default_rng(4)
    policy = varied_policy(rng, 0.1)
    slates = check(policy, rng, 40, {3}, 5)
    assert sum(isinstance(slate, LateSlate) for slate in slates) > 25
    assert any(any(slate.randomised) for slate in slates if isinstance(slate, LateSlate))
    assert any(d.rule == "creator_cap" for s in slates if isinstance(s, LateSlate) for d in s.dropped)


def test_no_requests_are_no_slates():
    policy = varied_policy(np.random.default_rng(1), 0.0)
    assert apply_many(policy, [], [], [], [], 5, np.zeros(0)) == []


def test_a_rule_that_is_only_written_for_one_request_is_applied_all_the_same(monkeypatch):
    """A hard rule without a kernel was passed over: what it refuses was shown."""
    monkeypatch.delitem(many._CODES, "maturity")
    rng = np.random.default_rng(11)

    slates = check(varied_policy(rng, 0.1), rng, 12, set(), 5)

    assert not any(isinstance(slate, LateSlate) for slate in slates), "none was left to the kernels"
    assert any(drop.rule == "maturity" for slate in slates for drop in slate.dropped)


def test_every_rule_of_the_document_is_written_for_many_requests():
    """One that is not costs the virtual backend its speed, and this list a line that says why."""
    assert document.PARAMS.keys() - many.held() == set()
