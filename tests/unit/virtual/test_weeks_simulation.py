"""Whole simulations on the tiny world: the same bytes for the same seed, and nothing half left behind."""

from __future__ import annotations

import errno
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.base import artefacts
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.cli.simulate import _tell
from sandbox.virtual.weeks import run as running
from sandbox.virtual.weeks.arms import parse_arms
from sandbox.virtual.weeks.births import births
from sandbox.virtual.weeks.plan import Plan
from sandbox.virtual.weeks.run import run
from services.model.core import encode_items, load_two_tower

pytestmark = pytest.mark.usefixtures("home")


def plan(**changed) -> Plan:
    """Three days of forty users, a fifth of the catalogue new, in two arms."""
    chosen = {
        "world": "tiny", "days": 3, "users": 40, "arms": parse_arms(["t:rules.explore_share=0.2"]),
        "retrain_days": 0, "births_share": 0.2,
    }  # fmt: skip
    return Plan(**{**chosen, **changed})


@pytest.fixture(scope="module")
def kept(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What --out keeps of `plan()`, in this process."""
    out = tmp_path_factory.mktemp("kept") / "out"
    run(plan(), world_dir("tiny"), out=out, processes=0)
    return out


@pytest.fixture(scope="module")
def document(kept: Path) -> dict:
    return json.loads((kept / running.DOCUMENT).read_text())


def test_the_same_seed_gives_the_same_bytes_over_any_number_of_processes(document):
    again = run(plan(), world_dir("tiny"), processes=2)

    assert json.dumps(again) == json.dumps(document)


def test_another_seed_gives_other_figures(document):
    other = run(plan(seed=2, days=1), world_dir("tiny"), processes=0)

    assert other["arms"][0]["days"][0] != document["arms"][0]["days"][0]


def test_the_days_of_an_arm_are_those_of_what_was_shown(kept, document):
    shown = pq.read_table(kept / "shown.parquet").to_pydict()
    arm, ts = np.array(shown["arm"]), np.array(shown["ts"])
    clicked = ~np.isnan(np.array(shown["click_ts"]))
    matures, revenue = np.array(shown["converted_ts"]), np.array(shown["revenue"], float)
    start = load_manifest("tiny").history_end_ts

    for told in document["arms"]:
        mine = arm == told["name"]
        for row in told["days"]:
            begins = start + (row["day"] - 1) * DAY_S
            today = mine & (ts >= begins) & (ts < begins + DAY_S)
            matured = mine & (matures >= begins) & (matures < begins + DAY_S)
            came = today & (matures < start + 3 * DAY_S)
            assert row["impressions"] == today.sum()
            assert row["clicks"] == (today & clicked).sum()
            assert row["conversions_by_maturity_day"] == matured.sum()
            assert row["conversions_by_click_day"] == came.sum()
            assert row["conversions_to_come"] == (today & ~np.isnan(matures)).sum() - came.sum()
            assert row["revenue"] == pytest.approx(revenue[matured].sum())
        assert told["total"]["clicks"] == sum(row["clicks"] for row in told["days"]) > 0


def test_items_are_shown_from_the_day_they_come_out(kept, document):
    catalogue = Catalogue.load(world_dir("tiny") / "public" / "catalogue.npz")
    start = load_manifest("tiny").history_end_ts
    born = births(catalogue.n_items, 0.2, start, 3, seed=1)
    shown = pq.read_table(kept / "shown.parquet").to_pydict()
    item, ts = np.array(shown["item_id"]), np.array(shown["ts"])

    out_ts = born.catalogue(catalogue).item_published_ts
    new = np.isin(item, born.item)

    assert document["births"] == {"held_back": len(born.item), "published": len(born.item)}
    assert (ts >= out_ts[item]).all()
    assert len(np.unique(item[new])) > len(born.item) / 2


def test_models_begin_without_what_is_held_back(kept):
    found = artefacts.load(kept / "registry", "two_tower", "tt-d0")
    model = load_two_tower(found.read("model.safetensors"), found.manifest.config)
    held = births(model.config.n_items, 0.2, load_manifest("tiny").history_end_ts, 3, seed=1).item

    tables = (model.item_id.weight, model.history.weight, model.attention.weight)

    for table in tables:
        rows = table.detach().numpy()
        assert (rows[held + 1] == rows[0]).all()
    assert np.isfinite(encode_items(model)).all()


def test_in_worlds_of_their_own_everybody_lives_in_every_arm():
    both = run(plan(days=1, separate=True), world_dir("tiny"), processes=2)
    alone = run(plan(days=1, arms=parse_arms(["control"])), world_dir("tiny"), processes=0)

    assert [arm["users"] for arm in both["arms"]] == [40, 40]
    assert both["arms"][0]["days"] == alone["arms"][0]["days"]
    assert both["arms"][1]["days"] != both["arms"][0]["days"]


def test_models_are_trained_on_what_the_weeks_brought(tmp_path):
    told = run(plan(retrain_days=1, days=2, models=("ranker",)), world_dir("tiny"), out=tmp_path / "out", processes=0)

    (trained,) = told["retrains"]
    manifest = artefacts.load(tmp_path / "out" / "registry", "ranker", "rk-d1").manifest
    end_ts = load_manifest("tiny").history_end_ts
    assert (trained["day"], trained["versions"]) == (1, {"ranker": "rk-d1"})
    assert manifest.created_ts == end_ts + DAY_S
    assert manifest.data.to_ts < end_ts + DAY_S
    assert trained["metrics"]["ranker.auc"] > 0.5


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"days": 0}, "--days"),
        ({"users": 301}, "--users"),
        ({"retrain_days": -1}, "--retrain-days"),
        ({"births_share": 0.9}, "--births"),
        ({"jobs_every_h": 5}, "--jobs-every-h"),
        ({"models": ("covisit",)}, "--retrain"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(changed, where, tmp_path):
    with pytest.raises(SandboxError) as refused:
        run(plan(**changed), world_dir("tiny"), out=tmp_path / "out", processes=0)

    assert refused.value.kind.code == "CFG-004"
    assert where in refused.value.where
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_nothing_half_is_left(tmp_path, monkeypatch):
    def full(self, served):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sandbox.virtual.weeks.simulation.ShownWriter.add", full)
    with pytest.raises(SandboxError) as refused:
        run(plan(days=1), world_dir("tiny"), out=tmp_path / "out", processes=0)

    assert refused.value.kind.code == "RUN-005"
    assert list(tmp_path.iterdir()) == []


def test_what_stands_there_is_not_replaced(tmp_path):
    (tmp_path / "out").mkdir()

    with pytest.raises(SandboxError) as refused:
        run(plan(days=1), world_dir("tiny"), out=tmp_path / "out", processes=0)

    assert refused.value.kind.code == "CFG-004"


@pytest.mark.slow
def test_the_command_of_the_page_answers_programs():
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulate.md").read_text()
    (typed,) = [line for line in page.splitlines() if line.startswith("sandbox") and "--json" in line]
    command = [sys.executable, "-m", "sandbox.cli.app", *shlex.split(typed)[1:]]

    told = subprocess.run(command, capture_output=True, text=True, check=True)
    refused = subprocess.run([*command, "--days", "0"], capture_output=True, text=True)

    document = json.loads(told.stdout)
    assert [arm["name"] for arm in document["arms"]] == ["control", "clicks"]
    assert set(document["arms"][0]["days"][0]) <= set(re.findall(r"`(\w+)`", page)) | {"day"}
    assert (refused.returncode, json.loads(refused.stderr)["code"]) == (2, "CFG-004")


def test_people_see_totals_days_and_differences(document, capsys):
    _tell(document, None)

    told = capsys.readouterr().out
    for part in ("control", "click rate", "day by day", "t less control", "95 % interval"):
        assert part in told
