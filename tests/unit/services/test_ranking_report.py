"""Rows of model_inputs: what the ranker was given for a sampled request."""

from __future__ import annotations

import numpy as np

from sandbox.base.features import Status
from sandbox.base.schema import TABLES
from services.ranking.core import INPUTS, Contract
from services.ranking.report import absent_shares, input_rows

CONTRACT = Contract("fc-1").without(["item_stats.ctr_28d"], "fc-2")
NO_STATS = absent_shares(False, True, None)


def rows(x, absent=NO_STATS, names=INPUTS):
    found = input_rows(x, absent, names, CONTRACT, ts=60.0, request_id="r-1", model_version="rk-1")
    return [dict(zip(TABLES["model_inputs"].names, row, strict=True)) for row in found]


def test_each_column_has_a_row_under_the_models_own_name():
    x = np.stack([np.arange(len(INPUTS)), np.arange(len(INPUTS)) + 2]).astype(np.float32)
    names = tuple(f"model.{n}" for n in range(len(INPUTS)))

    found = rows(x, names=names)

    assert [row["feature"] for row in found] == list(names)
    assert [(r["position"], r["mean"], r["min"], r["max"]) for r in found[:2]] == [
        (0, 1.0, 0.0, 2.0),
        (1, 2.0, 1.0, 3.0),
    ]
    assert {(r["contract_version"], r["model_version"]) for r in found} == {("fc-2", "rk-1")}


def test_what_a_release_does_not_fetch_is_a_default_everywhere():
    present = absent_shares(False, False, np.full(2, int(Status.PRESENT), np.uint8))

    share = {r["feature"]: r["default_share"] for r in rows(np.ones((2, len(INPUTS))), present)}

    assert [name for name, value in share.items() if value] == ["item_stats.ctr_28d"]


def test_defaults_are_counted_by_view():
    status = np.array([Status.PRESENT, Status.MISSING, Status.EXPIRED, Status.PRESENT], np.uint8)

    assert absent_shares(True, False, status) == {"user_profile": 1.0, "user_session": 0.0, "item_stats": 0.5}
    assert absent_shares(False, True, None)["item_stats"] == 1.0, "the store did not answer"
    assert absent_shares(False, False, status[:0])["item_stats"] == 0.0, "nothing was asked for"


def test_inputs_that_do_not_fit_the_models_names_are_not_reported():
    assert rows(np.ones((2, 3), np.float32)) == []
    assert rows(np.ones((0, len(INPUTS)), np.float32)) == []
