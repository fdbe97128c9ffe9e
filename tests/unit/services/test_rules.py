"""The rules on a small catalogue in which every item's fate can be told by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.base.catalogue import AGE_BANDS, LANGUAGES, REGIONS, SENSITIVITIES, Catalogue
from sandbox.base.config import Rule, SensitivityList
from sandbox.base.errors import SandboxError
from services.rules import document
from services.rules.core import Decision, Slate, Visit, apply
from services.rules.policy import Policy

NOW = 1_000_000.0
RULES = document.load()
ADULT, MINOR, UNKNOWN, BLOCKER = 0, 1, 2, 3
EU, US = REGIONS.index("EU"), REGIONS.index("US")


def small_catalogue(n: int = 12) -> Catalogue:
    """n old, harmless, unsponsored items of creators of their own, each in a topic of its own."""
    topics = np.zeros((n, 24), np.float32)
    topics[np.arange(n), np.arange(n) % 24] = 1.0
    users = 4
    bands = [AGE_BANDS.index(b) for b in ("25-34", "13-17", "unknown", "35-44")]
    return Catalogue(
        item_topics=topics, item_creator=np.arange(n, dtype=np.int32),
        item_language=np.zeros(n, np.int8), item_maturity=np.zeros(n, np.int8),
        item_sensitivity=np.zeros(n, np.int8), item_sens_score=np.full(n, 0.1, np.float32),
        item_regions=np.full(n, (1 << len(REGIONS)) - 1, np.uint16),
        item_published_ts=np.zeros(n), item_duration_s=np.full(n, 60, np.float32),
        item_price=np.zeros(n, np.float32), item_sponsored=np.zeros(n, bool),
        creator_group=np.zeros(n, np.int8), creator_followers=np.zeros(n, np.int32),
        user_region=np.zeros(users, np.int8), user_language=np.zeros(users, np.int8),
        user_age_band=np.array(bands, np.int8), user_gender=np.zeros(users, np.int8),
        user_personalised=np.ones(users, bool), user_created_ts=np.zeros(users),
        follows_indptr=np.zeros(users + 1, np.int64), follows_creator=np.zeros(0, np.int32),
        blocked_indptr=np.array([0, 0, 0, 0, 1]), blocked_creator=np.array([2], np.int32),
    )  # fmt: skip


def policy_of(catalogue: Catalogue, *, explore_share: float = 0.0, sensitivity: SensitivityList | None = None,
              rules: list[Rule] | None = None) -> Policy:  # fmt: skip
    return Policy(
        document.checked(rules or RULES), sensitivity or SensitivityList(), catalogue,
        topic_names=[f"t{i}" for i in range(24)], explore_share=explore_share, seed=1,
    )  # fmt: skip


def slate_of(policy: Policy, user: int = ADULT, *, items: list[int] | None = None, seen: tuple[int, ...] = (),
             k: int = 5, region: int = EU, session: int = 1) -> Slate:  # fmt: skip
    ids = np.arange(policy.catalogue.n_items) if items is None else np.array(items)
    score = np.linspace(1.0, 0.5, len(ids)).astype(np.float32)
    visit = Visit(user, region, session, 1)
    return apply(policy, visit, ids.astype(np.int64), score, np.array(seen, np.int64), k, NOW)


def dropped_by(slate: Slate, rule: str) -> list[int]:
    return [d.row for drop in slate.dropped for d in drop.decisions() if d.rule == rule]


def test_harmless_items_of_distinct_topics_keep_the_order_of_the_ranker():
    assert slate_of(policy_of(small_catalogue())).rows == [0, 1, 2, 3, 4]


def test_an_item_listed_twice_stands_once():
    slate = slate_of(policy_of(small_catalogue()), items=[4, 4, 7, 4])

    assert slate.rows == [0, 2]
    assert dropped_by(slate, "duplicate") == [1, 3]


def test_what_was_seen_longest_ago_comes_back_when_too_little_is_left():
    slate = slate_of(policy_of(small_catalogue(6)), seen=(3, 0, 1, 2), k=4)  # newest first

    assert slate.rows == [4, 5, 2, 1]
    assert dropped_by(slate, "seen") == [0, 3]
    assert [d.row for d in slate.decisions if d.rule == "seen"] == [2, 1]


def test_a_seen_item_that_another_rule_refuses_does_not_come_back():
    catalogue = small_catalogue(3)
    catalogue.item_maturity[0] = 18

    slate = slate_of(policy_of(catalogue), MINOR, seen=(0, 1), k=3)

    assert slate.rows == [2, 1]


@pytest.mark.parametrize(("user", "shown"), [(ADULT, [0, 1, 2]), (MINOR, [0, 1]), (UNKNOWN, [0, 1])])
def test_an_unknown_age_sees_what_a_minor_sees(user, shown):
    catalogue = small_catalogue(4)
    catalogue.item_maturity[:] = [0, 13, 16, 18]

    slate = slate_of(policy_of(catalogue), user, k=4)

    assert [row for row in slate.rows if row < 3] == shown


def test_no_rights_in_the_region_of_the_request_is_a_refusal_there_only():
    catalogue = small_catalogue(2)
    catalogue.item_regions[0] = 1 << US
    policy = policy_of(catalogue)

    assert slate_of(policy, region=EU).rows == [1]
    assert slate_of(policy, region=US).rows == [0, 1]


def test_a_blocked_creator_is_blocked_for_who_blocked_it():
    policy = policy_of(small_catalogue(4))

    assert dropped_by(slate_of(policy, BLOCKER), "blocked_creator") == [2]
    assert slate_of(policy, ADULT).rows == [0, 1, 2, 3]


def test_an_unknown_item_has_no_rights_and_an_unknown_user_is_a_minor():
    catalogue = small_catalogue(2)
    catalogue.item_maturity[1] = 18

    slate = slate_of(policy_of(catalogue), user=9_999, items=[0, 1, 77, -5])

    assert slate.rows == [0]
    assert dropped_by(slate, "region_rights") == [2, 3]


def test_sensitivity_is_stricter_for_minors_and_says_the_score():
    catalogue = small_catalogue(4)
    catalogue.item_sens_score[:] = [0.1, 0.65, 0.8, 0.1]
    catalogue.item_sensitivity[3] = SENSITIVITIES.index("sexuality")
    policy = policy_of(catalogue)  # threshold 0.75; times 0.8 for minors

    assert slate_of(policy, ADULT).rows == [0, 1, 3]
    minor = slate_of(policy, MINOR)
    assert minor.rows == [0]
    drops = [d for drop in minor.dropped for d in drop.decisions()]
    assert [d.factor for d in drops] == pytest.approx([0.65, 0.8, 0.1])


def test_a_languages_threshold_touches_that_language_only():
    catalogue = small_catalogue(4)
    catalogue.item_sens_score[:] = 0.4
    catalogue.item_language[:2] = LANGUAGES.index("tr")
    listed = SensitivityList(by_language={"tr": 0.3})

    slate = slate_of(policy_of(catalogue, sensitivity=listed))

    assert dropped_by(slate, "sensitivity") == [0, 1]


def test_what_has_no_label_yet_counts_as_safe_until_it_is_old_enough():
    catalogue = small_catalogue(3)
    catalogue.item_sens_score[:] = 0.9
    catalogue.item_published_ts[:] = [NOW - 3_601, NOW - 3_600, NOW - 3_599]
    listed = SensitivityList(label_delay_s=3_600)

    assert slate_of(policy_of(catalogue, sensitivity=listed)).rows == [2]
    assert slate_of(policy_of(catalogue)).rows == []


def test_a_list_with_an_unknown_language_is_refused_by_name():
    with pytest.raises(SandboxError, match="CFG-003") as refused:
        policy_of(small_catalogue(), sensitivity=SensitivityList(by_language={"klingon": 0.3}))

    assert refused.value.seen == "klingon"


def test_two_items_of_a_creator_and_no_more():
    catalogue = small_catalogue(6)
    catalogue.item_creator[:4] = 0

    slate = slate_of(policy_of(catalogue), k=6)

    assert slate.rows == [0, 1, 4, 5]
    assert dropped_by(slate, "creator_cap") == [2, 3]


def test_a_near_duplicate_stands_behind_something_else():
    catalogue = small_catalogue(8)
    catalogue.item_topics[1] = catalogue.item_topics[0]

    slate = slate_of(policy_of(catalogue), k=3)

    assert slate.rows == [0, 2, 1]  # worth .73 - .15 for row 1, .61 for row 2, .49 for row 3
    assert Decision(1, "diversity", 9, "demote", 1.0) in slate.decisions


def test_a_fresh_item_overtakes_one_of_nearly_the_same_score():
    catalogue = small_catalogue(11)
    catalogue.item_published_ts[1] = NOW

    slate = slate_of(policy_of(catalogue))

    assert slate.rows[:2] == [1, 0]  # 0.95 x 1.1 > 1
    assert slate.decisions[0][:4] == (1, "freshness", 7, "boost")


def test_the_sponsored_item_stands_at_its_place_unless_a_hard_rule_refuses_it():
    catalogue = small_catalogue(12)
    catalogue.item_sponsored[[9, 11]] = True
    policy = policy_of(catalogue)

    slate = slate_of(policy, k=6)
    assert slate.rows == [0, 1, 2, 3, 9, 4]
    assert slate_of(policy, k=4).rows == [0, 1, 2, 3]

    catalogue.item_regions[9] = 0
    assert slate_of(policy, k=6).rows == [0, 1, 2, 3, 11, 4]


def test_random_slots_come_at_their_share_and_their_propensity_adds_up():
    policy = policy_of(small_catalogue(12), explore_share=0.1)

    slates = [slate_of(policy, session=session, k=4) for session in range(2_000)]

    flags = np.array([s.randomised for s in slates])
    assert abs(flags.mean() - 0.1) < 5 * np.sqrt(0.09 / flags.size)
    first = [s for s in slates if s.randomised[0] and s.rows[0] != 0]
    assert {p for s in first for p in s.propensity[:1]} == {0.1 / 12}
    # The first slot's rows: 11 others at a twelfth of 0.1 each, row 0 with the rest.
    assert slates[0].propensity[0] == pytest.approx(0.9 + 0.1 / 12) or slates[0].randomised[0]
    shown = np.bincount([s.rows[0] for s in slates], minlength=12) / len(slates)
    assert np.all(np.abs(shown[1:] - 0.1 / 12) < 5 * np.sqrt(0.1 / 12 / len(slates)))


def test_the_same_place_gets_the_same_random_slots():
    policy = policy_of(small_catalogue(), explore_share=0.2)

    one, two = (slate_of(policy, session=41) for _ in range(2))

    assert (one.rows, one.randomised) == (two.rows, two.randomised)


def test_nan_scores_are_the_worst_and_do_no_harm():
    policy = policy_of(small_catalogue(4))
    score = np.array([np.nan, 0.2, 0.9, np.inf], np.float32)

    slate = apply(policy, Visit(ADULT, EU), np.arange(4), score, np.zeros(0, np.int64), 4, NOW)

    assert slate.rows[0] == 3
    assert slate.rows[-1] == 0


def test_no_candidates_is_an_empty_slate_and_unequal_arrays_are_refused():
    policy = policy_of(small_catalogue(4))

    assert slate_of(policy, items=[]).rows == []
    with pytest.raises(SandboxError, match="WIRE-001"):
        apply(policy, Visit(0, 0), np.arange(4), np.ones(3, np.float32), np.zeros(0, np.int64), 4, NOW)


@pytest.mark.parametrize(
    ("rule", "code", "where"),
    [
        (Rule(id="sening"), "CFG-003", "rules[0].id"),
        (Rule(id="creator_cap", params={"most": 2}), "CFG-003", "rules[0] creator_cap.most"),
        (Rule(id="creator_cap", params={"max_per_slate": "two"}), "CFG-003", "rules[0] creator_cap.max_per_slate"),
        (Rule(id="diversity", params={"relevance_weight": 1.5}), "CFG-001", "rules[0] diversity.relevance_weight"),
        (Rule(id="seen", params={"refill": 1}), "CFG-003", "rules[0] seen.refill"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_place(rule, code, where):
    with pytest.raises(SandboxError, match=code) as refused:
        document.checked([rule])

    assert refused.value.where == where


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "- id: [",
        "- 7",
        "{}: 3",
        "- id: seen\n  colour: red",
        "x" * 70_000,
        "- id: " + "[" * 2_000 + "]" * 2_000,
        "- !!python/object/apply:os.system [x]",
        "- id: 5",
        "",
    ],
)
def test_a_hostile_document_is_refused(tmp_path, text):
    path = tmp_path / "rules.yaml"
    path.write_text(text)

    with pytest.raises(SandboxError, match="CFG-003"):
        document.load(path)


def test_a_document_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SandboxError, match="CFG-002"):
            document.load(path)


def test_a_rule_switched_off_lets_pass():
    catalogue = small_catalogue(2)
    catalogue.item_regions[:] = 0
    rules = [rule.model_copy(update={"enabled": rule.id != "region_rights"}) for rule in document.load()]

    assert slate_of(policy_of(catalogue, rules=rules)).rows == [0, 1]
