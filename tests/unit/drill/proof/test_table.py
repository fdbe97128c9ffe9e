"""What the proofs of a pack come to: a page, and what must hold on average."""

from __future__ import annotations

from typing import Any

from sandbox.drill.proof.table import of_pack, page


def proof(name: str, *, gamer: float = 0.2, ok: bool = True, harm: bool = True) -> dict[str, Any]:
    """As `Proof.document` gives it."""
    return {
        "scenario": name, "ok": ok, "why": "as it should be" if ok else "its harm does not stand out",
        "harm_z": 4.2, "harm_metric": "clicks", "first_signal": {"name": "ctr" if harm else None, "after_s": 120.0},
        "evidence": [{"strength": 1.0}, {"strength": 0.5}], "claims": [{}, {}], "no_fault": 0.998,
        "averted": {"revert change": 0.97, "rebuild-index": 0.1} if harm else {},
        "responders": {"do-nothing": 0.0, "constant": 0.22, "gamer": gamer, "gold": 0.95},
    }  # fmt: skip


def test_the_page_has_a_row_for_each_in_order_and_says_that_all_is_well():
    told = page([proof("b-side"), proof("a-side")])

    rows = [line for line in told.splitlines() if line.startswith("| ") and "-side" in line]
    assert [row.split(" | ")[0] for row in rows] == ["| a-side", "| b-side"]
    assert "clicks, 4.2" in rows[0]
    assert "97%" in rows[0]
    assert "4 sentences" in told
    assert "All is as it should be." in told


def test_what_is_wrong_with_one_or_with_all_is_named():
    told = page([proof("a-side", ok=False), proof("b-side", gamer=0.5)])

    assert "- a-side: its harm does not stand out" in told
    assert "- the pack: gamer scores 0.350 on average, constant 0.220" in told


def test_a_false_alarm_has_no_actions_and_one_quick_proof_no_scores():
    assert "| - | - |" in page([proof("calm", harm=False)])
    assert of_pack([{**proof("a-side"), "responders": {}}]) == []


def test_who_does_not_look_must_not_do_well_on_average():
    assert "above" in of_pack([proof("a-side", gamer=0.9), proof("b-side", gamer=0.9)])[0]


def test_a_page_of_some_says_who_is_missing():
    told = page([proof("a-side")], ["a-side", "b-side"])

    assert told.endswith("Not proved with these: b-side.\n")
