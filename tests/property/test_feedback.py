"""When a client tells what its user did: never before it has happened, and not later than it must."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtest.feedback import GATHER_S, LATE_S, LEAD_S, MOST, sendings
from loadtest.sessions import Reaction, reactions
from sandbox.world.behaviour import SlateResponse

ANSWERED = 1_000.0
K = 6

done = st.lists(
    st.builds(
        Reaction, st.floats(0, 20_000) | st.integers(0, 40).map(float), st.just(1), st.just("click"), st.just(1.0)
    ),
    max_size=30,
)
speeds = st.sampled_from([1.0, 60.0, 600.0])
next_asked = st.floats(0.1, 300).map(lambda s: ANSWERED + s) | st.just(math.inf)


@given(done, next_asked, speeds)
def test_each_thing_is_told_once_and_not_before_it_has_happened(what, next_ts, speed):
    calls = sendings(what, ANSWERED, next_ts, speed)

    assert sorted(n for call in calls for n in call.numbers) == list(range(len(what)))
    assert [call.ts for call in calls] == sorted(call.ts for call in calls)
    for call in calls:
        assert all(ANSWERED + what[n].after_s <= call.ts for n in call.numbers)


@given(done, next_asked, speeds)
def test_nothing_waits_longer_than_the_gathering_and_what_is_done_is_told_before_more_is_asked(what, next_ts, speed):
    for n_before, call in enumerate(sendings(what, ANSWERED, next_ts, speed)):
        happened = [ANSWERED + what[n].after_s for n in call.numbers]
        late = min(happened) >= next_ts or (n_before > 0 and next_ts == math.inf)
        assert call.ts - min(happened) <= (LATE_S if late else GATHER_S) * speed + 1e-6
        if late:
            continue
        if min(happened) <= next_ts - LEAD_S * speed:
            assert call.ts <= next_ts - LEAD_S * speed
        elif min(happened) < next_ts:
            assert call.ts == min(happened), "at once: there is no time to gather"


def test_a_call_holds_no_more_than_one_call_may():
    what = [Reaction(0.0, 1, "click", 1.0)] * (2 * MOST + 1)

    assert [len(c.numbers) for c in sendings(what, ANSWERED, math.inf, 60.0)] == [MOST, MOST, 1]


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_what_follows_from_a_click_comes_after_it_and_leaving_comes_last(seed, leaves):
    what = list(reactions(list(range(K)), some_response(seed, leaves)))

    clicked = {r.item_id: r.after_s for r in what if r.kind == "click"}
    for r in what:
        if r.kind in ("dwell", "like", "conversion"):
            assert r.after_s > clicked[r.item_id]
        if r.kind == "dwell":
            assert r.after_s == clicked[r.item_id] + r.value
    left = [r for r in what if r.kind == "leave"]
    assert len(left) == leaves
    on_the_page = [r.after_s for r in what if r.kind not in ("conversion", "leave")]
    assert all(r.after_s == max(on_the_page, default=0.0) for r in left)
    assert all(r is what[-1] for r in left)


def some_response(seed: int, leaves: bool) -> SlateResponse:
    draw = np.random.default_rng(seed)
    click = draw.random((1, K)) < 0.5
    converts = click & (draw.random((1, K)) < 0.5)
    columns = {
        "click": click,
        "dwell_s": np.where(click, draw.exponential(30, (1, K)) + 0.01, np.nan),
        "like": click & (draw.random((1, K)) < 0.5),
        "hide": draw.random((1, K)) < 0.2,
        "conversion_delay_s": np.where(converts, draw.exponential(100, (1, K)) + 0.01, np.nan),
        "revenue": np.where(converts, 5.0, 0.0),
        "leave": np.array([leaves]),
    }
    blank = np.zeros((1, K), bool)
    return SlateResponse(**{f.name: columns.get(f.name, blank) for f in fields(SlateResponse)})
