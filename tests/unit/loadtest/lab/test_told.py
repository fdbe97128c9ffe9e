"""Feedback that was acknowledged, and what the lake has of it."""

from __future__ import annotations

from loadtest.lab.told import Acknowledgements, accounts, acknowledged


def test_a_call_without_an_answer_leaves_its_events_unsure(tmp_path):
    told = Acknowledgements(tmp_path / "ids.txt")
    told.sent(["a", "b"], answered=True)
    told.sent(["c"], answered=False)
    told.flush()
    told.sent(["d"], answered=True)
    told.flush()

    assert told.document() == {"made": 4, "acknowledged": 3, "unsure": 1}
    assert acknowledged(tmp_path / "ids.txt") == ["a", "b", "d"]


def test_a_line_that_a_crash_cut_off_is_no_id(tmp_path):
    (tmp_path / "ids.txt").write_text("a\nb\nhal")

    assert acknowledged(tmp_path / "ids.txt") == ["a", "b"]
    assert acknowledged(tmp_path / "none.txt") == []


def test_what_is_missing_or_there_twice_is_told():
    assert accounts(["a", "b"], ["b", "a", "other", "other"])["equal"]
    told = accounts(["a", "b", "c"], ["a", "a", "b"])

    assert told == {
        "acknowledged": 3, "recorded": 2, "missing": 1, "twice": 1, "equal": False, "missing_ids": ["c"]
    }  # fmt: skip
    assert accounts([], [])["equal"]
