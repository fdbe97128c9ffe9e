"""Evaluation: metrics by hand, splits that split, and the whole table on a small world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.base.errors import SandboxError
from sandbox.pipeline.evaluate import evaluate
from sandbox.pipeline.events import read_source
from sandbox.pipeline.metrics import auc, group_auc, ranking_metrics, top_k
from sandbox.pipeline.split import TEST, TRAIN, VALIDATION, split


def test_auc_counts_pairs_in_the_right_order_and_ties_half() -> None:
    label = np.array([True, False, True, False])

    assert auc(label, np.array([3.0, 1.0, 2.0, 2.0])) == 0.875  # of 4 pairs 3 are right and 1 is tied
    assert np.isnan(auc(np.array([True, True]), np.array([1.0, 2.0])))


def test_group_auc_compares_within_a_group_only() -> None:
    label, group = np.array([True, False, True, False]), np.array([1, 1, 2, 2])

    assert group_auc(label, np.array([0.2, 0.1, 0.9, 0.8]), group) == 1.0


def test_ranking_metrics_by_hand() -> None:
    ranked = np.arange(50)[None, :]

    metrics = ranking_metrics(ranked, [np.array([0, 2, 30, 99])])

    assert metrics["recall@10"] == 0.5
    assert metrics["recall@50"] == 0.75
    best = 1 + 1 / np.log2(3) + 1 / np.log2(4) + 1 / np.log2(5)
    assert metrics["ndcg@10"] == pytest.approx((1 + 1 / np.log2(4)) / best)


def test_top_k_is_sorted_and_breaks_ties_by_the_smaller_column() -> None:
    assert top_k(np.array([[1.0, 3.0, 3.0, 2.0]]), 3).tolist() == [[1, 2, 3]]


def test_a_random_split_takes_a_tenth_of_each_user_and_no_pair_twice(world: Path) -> None:
    parts = split(read_source(world).log, "P1", seed=1)
    pairs = parts.log.user.astype(np.int64) * 10_000 + parts.log.item

    assert len(np.unique(pairs)) == len(pairs)
    for user in range(5):
        mine = parts.part[parts.log.user == user]
        assert (mine == TEST).sum() == max(round(len(mine) / 10), 1)
        assert (mine == VALIDATION).sum() == (mine == TEST).sum()


def test_the_last_one_left_out_is_the_last_one(world: Path) -> None:
    parts = split(read_source(world).log, "P2", seed=1)

    for user in range(5):
        mine = parts.log.user == user
        last = parts.log.ts[mine & (parts.part == TEST)]
        assert len(last) == 1
        assert last[0] >= parts.log.ts[mine & (parts.part == TRAIN)].max()


def test_every_model_has_its_row_and_the_learned_ones_beat_popularity(world: Path) -> None:
    document = evaluate(world, "P1")

    ndcg = {row["model"]: row["metrics"].get("ndcg@10") for row in document["rows"]}
    assert list(ndcg) == ["popularity", "itemknn", "ease", "two_tower", "two_tower+ranker", "ranker"]
    assert ndcg["two_tower"] > ndcg["popularity"]
    assert ndcg["two_tower+ranker"] > ndcg["popularity"]
    assert 0.7 < document["rows"][-1]["metrics"]["auc"] < 0.9


def test_an_unknown_protocol_is_named_with_those_there_are(world: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        evaluate(world, "P9")

    assert caught.value.kind.code == "MODEL-004"
    assert "P1" in caught.value.expected
