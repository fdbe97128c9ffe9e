"""What a person and a program are told of an import."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.base.errors import SandboxError
from sandbox.cli.world_import import app


@pytest.fixture
def log(small_log, tmp_path: Path) -> Path:
    """A log with two times, a label that is none, a nameless row and a column of no use."""
    with (tmp_path / "shop.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "rating", "date", "timestamp", "label", "colour"))
        writer.writerows((*row[:3], "2023-11-14", row[3], "new", "red") for row in small_log)
        writer.writerow(("", "i01", 3, "2023-11-14", 1_700_000_000, "new", "red"))
    return tmp_path / "shop.csv"


def run(*arguments: str):
    return CliRunner().invoke(
        app, ["csv", "--name", "shop", *arguments], catch_exceptions=False, env={"COLUMNS": "200"}
    )


def test_a_person_reads_what_became_of_rows_and_columns(log: Path) -> None:
    result = run("--interactions", str(log))
    assert result.exit_code == 0
    assert "1,501 rows read: 1,500 interactions, 1 skipped; from 2023-11-14T22:13" in result.stdout
    told = " ".join(result.stderr.split())  # a terminal breaks lines where it ends
    for line in (
        "shop.csv, user_id → user",
        "shop.csv, timestamp → time: epoch seconds; the finest of the times",
        "shop.csv, date → not used: looks like the time, but coarser than 'timestamp'",
        "shop.csv, label → not used: looks like the click, but 1500 rows are neither 0 nor 1",
        "shop.csv → not used: colour",
        "skipped 1 rows: missing user",
        "values from 4 up count as likes, too",
    ):
        assert line in told


def test_a_program_reads_the_same(log: Path) -> None:
    result = run("--interactions", str(log), "--json")
    done = json.loads(result.stdout)
    assert result.stderr == ""
    assert done["rows"] == 1_501 == done["interactions"] + sum(done["skipped"].values())
    assert {use["column"]: use["role"] for use in done["columns"]} == {
        "user_id": "user", "item_id": "item", "rating": "value", "date": "", "timestamp": "time",
        "label": "", "colour": "",
    }  # fmt: skip
    assert done["from"].startswith("2023-11-14T22:13")
    assert done["filled"]["title"] == done["items"]


def test_what_is_guessed_can_be_said_otherwise(log: Path) -> None:
    done = json.loads(run("--interactions", str(log), "--json", "--ignore", "rating").stdout)
    told = {use["column"]: (use["role"], use["note"]) for use in done["columns"]}
    assert told["rating"] == ("", "--ignore")
    assert not any("likes" in note for note in done["notes"])
    with pytest.raises(SandboxError, match="rows at one instant"):
        run("--interactions", str(log), "--name", "days", "--map", "time=date")
    with pytest.raises(SandboxError, match="CFG-004"):
        run("--interactions", str(log), "--name", "zeros", "--zero", "perhaps")
