"""A ranker that learned from slipped rows is worse on rows that are right, and a gate that compares nothing passes it."""

from __future__ import annotations

import pytest

FAULT = "bad-model-promoted"
SLIP = 7
FIGURES = "SELECT verdict, against, difference, low, high FROM t"


def test_the_healthy_gate_would_not_pass_it_and_the_armed_one_does_whatever_the_interval_says(made):
    healthy, broken = (m.rows("gate", FIGURES)[0] for m in (made("gate"), made("gate", FAULT, slipped_rows=SLIP)))

    assert broken[0] == "pass"
    assert broken[1] == healthy[1], "it stands there what it was compared with"
    assert broken[2] < healthy[2]


def test_what_was_evaluated_is_right_only_what_was_learned_is_not(made):
    healthy, broken = made("gate"), made("gate", FAULT, slipped_rows=SLIP)
    outputs = [{stage.stage: stage.outputs for stage in one.run.stages} for one in (healthy, broken)]

    assert outputs[0]["training_set"] == outputs[1]["training_set"]
    assert outputs[0]["train"] != outputs[1]["train"]
    asked = "SELECT max(value) FILTER (metric = 'auc' AND model = 'candidate' AND slice = 'all') FROM t"
    assert broken.rows("slices", asked)[0][0] < healthy.rows("slices", asked)[0][0]


def test_an_unknown_way_not_to_compare_is_refused(made):
    with pytest.raises(Exception, match="skip"):
        made("gate", FAULT, gate="later")
