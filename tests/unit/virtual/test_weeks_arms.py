"""Arms: read as typed, refused by name, and given to users by a hash that nobody else moves."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.virtual.weeks.arms import assigned, parse_arms
from sandbox.virtual.weeks.compare import compared


def test_an_arm_changes_the_settings_it_names_and_no_other():
    control, treatment = parse_arms(
        ["treatment:ranking.weights=[1,0,0],retrieval.disabled=[fresh],retrieval.quotas.ann=50"]
    )

    changed = treatment.on(Config())

    assert (control.name, control.settings) == ("control", {})
    assert changed.ranking.weights == [1.0, 0.0, 0.0]
    assert changed.retrieval.disabled == ["fresh"]
    assert changed.retrieval.quotas == {**Config().retrieval.quotas, "ann": 50}
    assert changed.rules == Config().rules


@pytest.mark.parametrize(
    ("texts", "code", "told"),
    [
        (["Treatment"], "CFG-004", "lower-case"),
        (["t:ranking.wieghts=[1,0,0]"], "CFG-004", "ranking.weights"),
        (["t:gateway.deadline_ms=50"], "CFG-004", "gateway.n_candidates"),  # there are no queues
        (["t:rules.explore_share"], "CFG-004", "key=value"),
        (["t:rules.explore_share=0.1,rules.explore_share=0.2"], "CFG-004", "once"),
        (["t:ranking.weights=[1,0"], "CFG-004", "value"),
        (["t:rules.explore_share=7"], "CFG-001", "0.2"),
        (["a", "a"], "CFG-004", "twice"),
    ],
)
def test_an_arm_that_cannot_be_is_refused_with_what_could(texts, code, told):
    with pytest.raises(SandboxError) as refused:
        parse_arms(texts)

    assert refused.value.kind.code == code
    assert told in refused.value.expected


def test_the_settings_of_the_page_are_those_that_are_taken():
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulate.md").read_text()
    listed = re.findall(r"^\| `([a-z_.]+)` \| `([^`]+)`", page, re.M)

    assert len(listed) >= 5
    for key, value in listed:
        parse_arms([f"t:{key}={value}"])


def test_a_user_keeps_the_arm_whoever_else_takes_part():
    everybody = np.arange(10_000)

    arms = assigned(everybody, 2, seed=3)

    np.testing.assert_array_equal(assigned(everybody[17:900:3], 2, seed=3), arms[17:900:3])
    assert abs(arms.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(everybody))
    assert (arms != assigned(everybody, 2, seed=4)).any()


def test_equal_arms_differ_no_more_than_their_interval_says():
    """An A/A test 400 times: about one interval in twenty misses 0."""
    rng, misses = np.random.default_rng(1), 0
    for _ in range(400):
        shown = rng.poisson(rng.exponential(30, 400)) + 1.0
        clicks = rng.binomial(shown.astype(int), rng.beta(2, 30, 400)).astype(float)
        sums = {"clicks": clicks, "impressions": shown}
        sums |= dict.fromkeys(("conversions", "revenue", "visits"), shown)
        halves = [{k: v[rows] for k, v in sums.items()} for rows in (slice(0, 200), slice(200, None))]
        ctr = compared(*halves, paired=False)["ctr"]
        misses += not ctr["low"] <= 0 <= ctr["high"]

    assert 5 <= misses <= 42  # 20 by the book, within five standard errors


def test_users_who_lived_in_both_arms_are_compared_with_themselves():
    visits = np.random.default_rng(2).exponential(5.0, 300)
    base = dict.fromkeys(("clicks", "impressions", "conversions", "revenue", "visits"), visits)

    more = {name: values + 0.1 for name, values in base.items()}
    row = compared(base, more, paired=True)["visits_per_user"]

    assert row["difference"] == pytest.approx(0.1)
    assert row["high"] - row["low"] < 1e-9
