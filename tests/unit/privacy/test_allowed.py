"""When whose data may be processed: the SQL against the rules read one person at a time."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.catalogue import AGE_BANDS, JURISDICTIONS
from sandbox.privacy import policy, rules
from sandbox.privacy.allowed import allowed, inputs
from tests.unit.privacy import mini
from tests.unit.privacy.mini import DAY_S, NOW

PURPOSES = rules.PURPOSES
N = 7
LINES = {(x.jurisdiction, x.purpose, x.age_band): x for x in policy.lines(rules.day_of(NOW))}
_said = st.tuples(
    st.integers(0, N - 1), st.sampled_from(PURPOSES), st.sampled_from(("granted", "denied", "denied/gpc")),
    st.integers(1, 9).map(float),
)  # fmt: skip


def by_hand(user: dict, said: list[mini.Said], purpose: str, ts: float) -> bool:
    """Whether it may be done at that time, told as one would tell a person."""
    line = LINES[JURISDICTIONS[user["region"]], purpose, user["age_band"]]
    if line.basis == "never":
        return False
    told = []
    for who, of, state, days in said:
        word, _, signal = state.partition("/")
        at = NOW - days * DAY_S
        if who == user["user_id"] and at <= ts:
            told += [(at, word == "granted")] if of == purpose else []
            told += [(at, False)] if signal in line.signals else []
    if not told:
        return line.basis == "opt-out"
    latest = max(at for at, _ in told)
    return all(yes for at, yes in told if at == latest)


@settings(max_examples=8, deadline=None)
@given(st.lists(_said, max_size=25), st.lists(st.sampled_from(AGE_BANDS), min_size=N, max_size=N))
def test_the_intervals_say_what_the_rules_say_at_every_moment(said, bands):
    who = [{**person, "age_band": band} for person, band in zip(mini.people(N), bands, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        world = mini.world(Path(folder) / "w", who, said, [])
        rows = allowed(world).to_pylist()
    for person in who:
        for purpose in PURPOSES:
            mine = [r for r in rows if (r["user_id"], r["purpose"]) == (person["user_id"], purpose)]
            for half_days in range(20):
                ts = NOW - half_days * DAY_S / 2
                inside = sum(r["from_ts"] <= ts < r["until_ts"] for r in mine)
                assert inside == by_hand(person, said, purpose, ts), (person, purpose, half_days)


def test_the_table_is_kept_and_made_anew_when_somebody_changes_their_mind(tmp_path):
    world = mini.world(tmp_path / "w", mini.people(1), mini.yes(1), [])
    first, before = allowed(world), inputs(world)
    assert allowed(world).equals(first)
    again = mini.world(tmp_path / "again", mini.people(1), [*mini.yes(1), (0, "sensitive", "denied", 1.0)], [])
    for name in ("consent_ledger", "users"):
        (world / "public" / f"{name}.parquet").write_bytes((again / "public" / f"{name}.parquet").read_bytes())
    assert inputs(world) != before
    ends = {row["purpose"]: row["until_ts"] for row in allowed(world).to_pylist()}
    assert ends == {"personalisation": math.inf, "ads_profiling": math.inf, "sensitive": NOW - DAY_S}


def test_what_is_asked_of_an_earlier_day_does_not_know_the_later_word(tmp_path):
    world = mini.world(tmp_path / "w", mini.people(1), [*mini.yes(1), (0, "personalisation", "denied", 2.0)], [])
    then = {row["purpose"]: row["until_ts"] for row in allowed(world, NOW - 3 * DAY_S).to_pylist()}
    assert then["personalisation"] == math.inf
