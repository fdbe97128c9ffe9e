"""The slate as a person reads it."""

from __future__ import annotations

import io

from rich.console import Console

from sandbox.runtime.slates import Card, document, rules_text, table
from services.proto.recsys.v1 import gateway_pb2

NOTES = [
    gateway_pb2.RuleNote(rule="freshness", action="boost", factor=1.06),
    gateway_pb2.RuleNote(rule="sponsored", action="pin", factor=3),
]
ITEMS = [
    gateway_pb2.SlateItem(item_id=7, position=1, score=0.5, p_click=0.125, model_rank=3,
                          sources=["ann", "popular"], propensity=1.0, rules=NOTES),
    gateway_pb2.SlateItem(item_id=8, position=2, score=0.1, sources=["popular"], propensity=0.004,
                          randomised=True),
]  # fmt: skip
CARDS = {7: Card("Beavers [and] Parrots", ("animals", "travel"), "Ines Nowak")}
ANSWER = gateway_pb2.RecommendResponse(
    request_id="ab" * 16, user_id=3, degraded=True, fallbacks=["ranking"], items=ITEMS
)


def printed(width):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table(ITEMS, CARDS, width))
    return console.export_text()


def test_a_wide_terminal_shows_everything():
    text = printed(160)
    for part in ("Beavers [and] Parrots", "animals, travel", "Ines Nowak", "ann popular", "0.500",
                 "12.5%", "#3", "freshness boost ×1.06; sponsored pin", "item 8", "random, p=0.004"):  # fmt: skip
        assert part in text


def test_a_narrow_terminal_leaves_out_the_lesser_columns():
    text = printed(80)
    assert "Ines Nowak" not in text
    assert "Beavers" in text
    assert "0.500" in text


def test_an_item_without_a_score_of_the_ranker_shows_none():
    assert "0.0%" not in printed(160)
    assert rules_text(ITEMS[1]) == "random, p=0.004"


def test_the_document_has_the_promised_fields():
    slate = document(ANSWER, CARDS)
    assert {"request_id", "user_id", "degraded", "model_version", "index_version", "items"} <= slate.keys()
    first, second = slate["items"]
    assert (first["title"], first["rules"][1]["rule"]) == ("Beavers [and] Parrots", "sponsored")
    assert (second["title"], second["model_rank"]) == ("", None)
