"""The publishers' own files become worlds. Needs the data sets; each test skips where they aren't."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.cli.world_import import app
from sandbox.world.importers import movielens, obd


def run(*arguments: str) -> dict:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_movielens_100k(dataset) -> None:
    done = run("movielens", str(dataset("ml-100k")), "--name", "ml")
    assert (done["users"], done["items"], done["events"]) == (943, 1682, 100_000 + 55_375)
    assert done["skipped"] == {}
    assert done["fit"]["auc"] > done["fit"]["auc_popularity"] + 0.05
    assert 0.8 < done["fit"]["calibration_slope"] < 1.2
    assert done["fit"]["log_loss"] < done["fit"]["log_loss_popularity"]
    film = pq.read_table(world_dir("ml") / "public" / "items.parquet").to_pylist()[0]
    assert film["title"] == "Toy Story (1995)"
    assert sorted(film["topics"]) == ["Animation", "Children's", "Comedy"]
    users = pq.read_table(world_dir("ml") / "public" / "users.parquet").to_pylist()
    assert (users[0]["age_band"], users[0]["gender"]) == ("18-24", "m")
    genders = [user["gender"] for user in users]
    assert genders.count("f") == 273
    assert load_manifest("ml").history_end_ts == 893_286_638 + 1


def test_movielens_latest(dataset) -> None:
    source = movielens.read(dataset("ml-latest-small"))
    assert (len(source.users), len(source.items), len(source.log)) == (610, 9_742, 100_836)
    assert source.items.text("published")[0] == "1995"
    assert source.skipped == {}


def test_rows_of_movielens_that_name_unknown_films_are_counted(dataset, tmp_path: Path) -> None:
    for file in dataset("ml-100k").glob("u.*"):
        shutil.copyfile(file, tmp_path / file.name)
    with (tmp_path / "u.data").open("a") as file:
        file.write("1\t99999\t5\t888888888\n1\t2\t5\tnever\n1\t2\n7777\t1\t3\t888888888\n")
    source = movielens.read(tmp_path)
    assert len(source.log) == 100_000
    assert source.skipped == {
        "item not in the item file": 1,
        "unreadable time": 1,
        "too few columns": 1,
        "user not in the user file": 1,
    }


@pytest.mark.parametrize("missing", ["u.data", "u.item", "u.genre"])
def test_a_missing_file_of_movielens_is_named(dataset, tmp_path: Path, missing: str) -> None:
    for file in dataset("ml-100k").glob("u.*"):
        if file.name != missing:
            shutil.copyfile(file, tmp_path / file.name)
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        movielens.read(tmp_path)
    assert missing in refused.value.seen


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for read in (movielens.read, obd.read):
        with pytest.raises(SandboxError, match="WORLD-002"):
            read(tmp_path)
        with pytest.raises(SandboxError, match="WORLD-002"):
            read(tmp_path / "nowhere")


def test_open_bandit_keeps_positions_propensities_and_clicks(dataset) -> None:
    done = run("obd", str(dataset("obd-small")), "--name", "shop")
    manifest = load_manifest("shop")
    assert (done["items"], done["impressions"], done["events"]) == (80, 40_000, 207)
    assert manifest.has_negatives
    shown = pq.read_table(world_dir("shop") / "public" / "impressions.parquet")
    assert set(np.unique(shown["position"])) == {1, 2, 3}
    propensity = shown["propensity"].to_numpy()
    assert ((propensity > 0) & (propensity <= 1)).all()
    assert np.isclose(propensity, 1 / 34).sum() > 9_000  # the uniform policy of the men's campaign
    assert done["fit"]["auc"] > done["fit"]["auc_popularity"]
    # The uniform policy clicked .0046 in the log, with a standard error of .0005.
    assert 0.003 < done["fit"]["ctr_uniform"] < 0.0065
    assert done["fit"]["ctr_oracle"] > 2 * done["fit"]["ctr_uniform"]
