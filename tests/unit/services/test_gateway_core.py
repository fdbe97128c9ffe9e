"""The gateway's own decisions: requests, ids, the order of scores, and the slate of last resort."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.base.features import SEGMENTS, segment_codes
from services.gateway import core
from services.gateway.stages import Candidates, Ranked, UserRows, dropped_by
from tests.services.harness import BLOCKER, N_ITEMS, WORLD_START, catalogue

WORLD = catalogue()


def request(**changes):
    fields = {
        "user_id": 3, "k": 10, "session_id": "", "depth": 0, "surface": "", "client": "",
        "attempt": 0, "explain": False,
    }  # fmt: skip
    return SimpleNamespace(**(fields | changes))


def test_fields_left_out_have_their_defaults():
    asked = core.check_request(request(), n_users=20)
    assert asked == core.Asked(3, 10, None, 1, 1, "home", "app", False)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1), st.text(max_size=30))
def test_a_request_is_in_range_or_refused(k, user, session):
    try:
        asked = core.check_request(request(k=k, user_id=user, session_id=session), n_users=20)
    except SandboxError as error:
        refused = error.kind.code
    else:
        refused = ""
    assert refused in ("", "WIRE-002", "WIRE-003")
    if refused:
        return
    assert 1 <= asked.k <= core.MAX_K
    assert 0 <= asked.user < 20
    assert asked.session is None or 0 <= asked.session < 2**63


@pytest.mark.parametrize("session", ["-1", "1.5", "٣", "9" * 25, " 1", "0x1"])
def test_a_visit_is_a_plain_decimal_number(session):
    with pytest.raises(SandboxError, match="session_id"):
        core.check_request(request(session_id=session), n_users=20)


def test_ids_depend_on_every_part_of_the_place():
    ids = {core.request_id(*place) for place in [(1, 2, 3, 4), (1, 2, 34), (1, 23, 4), (2, 2, 3, 4)]}
    assert len(ids) == 4
    assert all(0 <= core.visit_of(i) < 2**63 for i in ids)


@given(st.lists(st.one_of(st.floats(width=32), st.just(float("nan"))), max_size=30))
def test_rows_are_ordered_by_score_and_ties_stay(scores):
    array = np.array(scores, np.float32)
    order = core.by_score(array)
    assert sorted(order.tolist()) == list(range(len(scores)))
    finite = np.where(np.isfinite(array), array, -np.inf)[order]
    for i in range(len(order) - 1):
        assert finite[i] > finite[i + 1] or (finite[i] == finite[i + 1] and order[i] < order[i + 1])


def test_masks_name_their_sources():
    names = core.source_names(["ann", "covisit", "popular"])
    assert names[0] == ()
    assert names[0b101] == ("ann", "popular")
    assert len(names) == 8


@given(
    st.lists(st.integers(0, N_ITEMS - 1), max_size=80), st.sampled_from([0, 1, BLOCKER]),
    st.integers(1, 100),
)  # fmt: skip
def test_the_safe_slate_is_safe_whatever_it_is_made_from(items, user, k):
    region = int(WORLD.user_region[user])
    slate = core.safe_items(np.array(items, np.int64), WORLD, user=user, region=region, now=WORLD_START, k=k)
    shown = slate.tolist()
    assert len(shown) <= k
    assert len(set(shown)) == len(shown)
    assert set(shown) <= set(items)
    for item in shown:
        assert WORLD.item_maturity[item] == 0
        assert WORLD.item_sensitivity[item] == 0
        assert int(WORLD.item_regions[item]) >> region & 1
        assert WORLD.item_published_ts[item] <= WORLD_START
        assert WORLD.item_creator[item] not in WORLD.blocked(user)
    fit = [i for i in dict.fromkeys(items) if i in shown]
    assert shown == fit  # in the order they came


def test_the_popular_lists_leave_out_what_the_world_does_not_have():
    stored = np.array([[3, -1, 99, 5]] * 7)
    assert [row.tolist() for row in core.popular_items(stored, WORLD)] == [[3, 5]] * 7


@pytest.mark.parametrize("stored", [None, np.zeros((1, 4), np.int64)])
def test_without_a_popular_artefact_the_newest_items_stand_in(stored):
    lists = core.popular_items(stored, WORLD)
    assert len(lists) == 2
    times = WORLD.item_published_ts[lists[1]]
    assert (np.diff(times) <= 0).all()


def test_what_a_stage_leaves_is_enough_for_the_next():
    left = 400.0 * (1 - core.ANSWER_SHARE)
    for stage in core.STAGES:
        left -= left * core.stage_share(stage)
        assert left > 0
    assert 400.0 * core.ANSWER_SHARE >= 20.0


def test_segments_follow_the_impressions():
    assert [SEGMENTS[c] for c in segment_codes(np.log1p([0.0, 59.0, 60.0, 239.0, 240.0]))] == [
        "light", "light", "regular", "regular", "heavy",
    ]  # fmt: skip


def test_stand_ins_are_usable_and_flagged():
    popular = Candidates.popular(np.array([4, 2, 9]))
    ranked = Ranked.as_retrieved(popular)
    assert popular.names[popular.masks[0]] == ("popular",)
    assert ranked.order.tolist() == [0, 1, 2]
    assert ranked.fell_back
    assert UserRows.unknown().segment == "new"
    assert (UserRows.unknown().session[3:23] == -1).all()


def test_the_first_rule_that_dropped_a_row_is_named():
    assert dropped_by([1, 2, 1], ["seen", "maturity", "duplicate"]) == {1: "seen", 2: "maturity"}
