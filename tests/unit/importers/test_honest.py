"""Nothing that a file states is lost or overwritten unsaid, and no world comes of it that cannot run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.world.check import check
from sandbox.world.importers import table
from sandbox.world.importers.importing import Imported, import_world
from sandbox.world.importers.table import Options

HEAD = ("user_id", "item_id", "rating", "timestamp")


def write(path: Path, rows, header=HEAD, delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def bring_in(log: Path, **options) -> Imported:
    return import_world(lambda: table.read(log, **options), "mine", built="2026-01-01")


def history() -> tuple[list[dict], list[dict]]:
    public = world_dir("mine") / "public"
    return tuple(pq.read_table(public / f"{name}.parquet").to_pylist() for name in ("impressions", "outcomes"))  # type: ignore[return-value]


def test_only_rows_equal_in_every_column_are_repeats(small_log, tmp_path: Path) -> None:
    user, item, stars, ts = small_log[10]
    rows = [*small_log, (user, item, stars, ts), (user, item, stars % 5 + 1, ts)]
    done = bring_in(write(tmp_path / "log.csv", rows))
    assert done.skipped == {"duplicate row": 1}
    assert load_manifest("mine").impressions == 1_501
    shown, _ = history()
    pairs = [(row["request_id"], row["item_id"]) for row in shown]
    assert len(set(pairs)) == len(pairs), "an item stands once in a request"


def test_rows_that_differ_in_a_mapped_attribute_are_no_repeats(small_log, tmp_path: Path) -> None:
    rows = [(*row, "tv") for row in small_log]
    rows += [rows[3], (*small_log[4], "phone")]
    log = write(tmp_path / "log.csv", rows, (*HEAD, "device"))
    source = table.read(log, mapping={"creator": "device"})
    assert source.skipped == {"duplicate row": 1}
    assert "creator: 1 of 40 have more than one in the log; the first stands" in source.notes


@pytest.mark.parametrize("word", ["nan", "NULL", "\\N", "NA", "None", "", "<NA>", "N/A", "undefined"])
def test_null_words_are_nobody_unless_it_is_said(small_log, tmp_path: Path, word: str) -> None:
    rows = [*small_log, (word, "i01", 3, 1_700_000_001), ("u01", word, 3, 1_700_000_002)]
    log = write(tmp_path / "log.csv", rows)
    source = table.read(log)
    assert source.skipped == {"missing user": 1, "missing item": 1}
    assert source.rows == len(source.log) + 2
    kept = table.read(log, options=Options(keep_null_words=True))
    assert (word in kept.users.key) == (word in kept.items.key) == bool(word)


def test_a_blank_rating_is_no_value(small_log, tmp_path: Path) -> None:
    rows = [(u, i, v if k % 3 == 0 else ("", "NULL")[k % 2], t) for k, (u, i, v, t) in enumerate(small_log)]
    done = bring_in(write(tmp_path / "log.csv", rows))
    assert (done.manifest.impressions, done.skipped) == (1_500, {})
    clicks = [row for row in history()[1] if row["kind"] == "click"]
    assert len(clicks) == 1_500
    assert sum(row["value"] != row["value"] for row in clicks) == 1_000


@pytest.mark.parametrize(("zero", "rated"), [("", 500), ("none", 500), ("rating", 1_500)])
def test_zeros_among_ratings_from_one_are_no_ratings(small_log, tmp_path, zero, rated) -> None:
    rows = [(u, i, v if k % 3 == 0 else 0, t) for k, (u, i, v, t) in enumerate(small_log)]
    source = table.read(write(tmp_path / "log.csv", rows), options=Options(zero=zero))
    assert len(source.log) == 1_500
    assert int((~np.isnan(source.log.value)).sum()) == rated
    assert any("0 in 1000 rows" in note and "--zero" in note for note in source.notes)


def test_zeros_of_a_scale_that_begins_there_stay_ratings(small_log, tmp_path: Path) -> None:
    rows = [(u, i, v - 1, t) for u, i, v, t in small_log]
    source = table.read(write(tmp_path / "log.csv", rows))
    assert not np.isnan(source.log.value).any()
    assert any("taken as a rating of 0" in note for note in source.notes)


@pytest.mark.parametrize("strays", [[4_102_358_400, 4_102_358_401], [320_000_000], [2**31 - 1]])
def test_times_far_from_the_log_are_counted_and_the_world_ends_with_the_log(
    small_log, tmp_path: Path, strays: list[int]
) -> None:
    rows = [*small_log, *(("u01", "i02", 3, ts) for ts in strays)]
    done = bring_in(write(tmp_path / "log.csv", rows))
    assert done.skipped == {"time far from the rest of the log": len(strays)}
    assert load_manifest("mine").history_end_ts == small_log[-1][3] + 1
    assert load_manifest("mine").history_start_ts == small_log[0][3]
    assert "are left out" in done.notes[0]


def test_a_log_of_two_busy_years_far_apart_is_kept_whole(small_log, tmp_path: Path) -> None:
    rows = [(u, i, v, t + (0 if k < 700 else 94_608_000)) for k, (u, i, v, t) in enumerate(small_log)]
    assert len(table.read(write(tmp_path / "log.csv", rows)).log) == 1_500


def test_a_long_silence_within_a_log_is_said(small_log, tmp_path: Path) -> None:
    rows = [*small_log, *((f"u{k % 9}", f"i{k % 7}", 3, 4_102_358_400 + k) for k in range(200))]
    source = table.read(write(tmp_path / "log.csv", rows))
    assert len(source.log) == 1_700
    assert any("200 of 1700 rows come after it" in note for note in source.notes)


@pytest.mark.parametrize("share", [1.0, 0.97])
def test_a_log_at_one_instant_is_refused_before_a_world_is_made(small_log, tmp_path: Path, share: float) -> None:
    rows = [(u, i, v, 1_700_000_000 if k < share * 1_500 else t) for k, (u, i, v, t) in enumerate(small_log)]
    rows = list({row[:2]: row for row in rows}.values())
    late = [row for row in rows if row[3] != 1_700_000_000][: len(rows) // 40]
    rows = [row for row in rows if row[3] == 1_700_000_000] + late
    with pytest.raises(SandboxError, match="at one instant") as refused:
        bring_in(write(tmp_path / "log.csv", rows))
    assert "--map time=" in refused.value.fix
    assert not world_dir("mine").exists()


def test_rows_of_the_wrong_width_are_what_is_named(small_log, tmp_path: Path) -> None:
    rows = [(k, *row) for k, row in enumerate(small_log)]  # a column of row names without a header
    with pytest.raises(SandboxError, match="too many columns: 1500") as refused:
        table.read(write(tmp_path / "log.csv", rows))
    assert "4 columns" in refused.value.expected
    assert "time" not in refused.value.fix


def test_attributes_that_cannot_be_kept_are_counted(small_log, tmp_path: Path) -> None:
    users = write(
        tmp_path / "users.tsv",
        [(f"u{k:02d}", ("m", "f", "", "?")[k % 4], ("24", "old", "")[k % 3],
          ("Mexico", "Germany", "")[k % 3], ("Apr 2, 2005", "", "once", "May 1, 2031")[k % 4])
         for k in range(60)],
        ("#id", "gender", "age", "country", "registered"), "\t",
    )  # fmt: skip
    items = write(
        tmp_path / "items.csv",
        [(f"i{k:02d}", "" if k < 3 else f"Film {k}", ("1999", "soon", "01-Jan-1939")[k % 3],
          ("90", "0", "long", "")[k % 4], ("7", "18")[k % 2], ("en", "sw")[k % 2]) for k in range(40)],
        ("id", "title", "published", "duration_s", "min_age", "language"),
    )  # fmt: skip
    log = write(tmp_path / "log.csv", small_log)
    filled = bring_in(log, users=users, items=items).filled
    assert {what: count for what, count in filled.items() if "stated" in what or "another" in what} == {
        "gender, stated but not readable": 15,
        "age, stated but not readable": 20,
        "user region, stated but not known here": 20,
        "user created, stated but not readable": 15,
        "user created, stated after the first interaction": 15,
        "published, stated but not readable": 13,
        "duration_s, stated but not readable": 10,
        "duration_s, stated below 1": 10,
        "maturity, stated between 0, 13, 16 and 18": 20,
        "item language, another one (xx)": 20,
    }
    assert (filled["title"], filled["user created"], filled["user region"]) == (3, 15, 20)
    assert filled["duration_s"] == 10
    people = pq.read_table(world_dir("mine") / "public" / "users.parquet").to_pylist()
    assert people[0]["created_ts"] == 1_112_400_000  # 2 April 2005
    old = pq.read_table(world_dir("mine") / "public" / "items.parquet").to_pylist()[2]
    assert old["published_ts"] < -978_000_000  # 1939


def test_unclicked_impressions_reach_the_history_and_the_world_keeps_its_rate(small_log, tmp_path: Path) -> None:
    rows = [(u, i, int(v >= 4), t) for u, i, v, t in small_log]
    log = write(tmp_path / "log.csv", rows, ("user_id", "item_id", "is_click", "timestamp"))
    done = bring_in(log)
    clicks = sum(row[2] for row in rows)
    assert (done.manifest.impressions, done.manifest.events) == (1_500, clicks)
    assert load_manifest("mine").has_negatives
    shown, outcomes = history()
    assert {row["kind"] for row in outcomes} == {"click"}
    assert min(row["position"] for row in shown) == 1
    assert done.manifest.fit["ctr_logged"] == pytest.approx(clicks / 1_500, abs=1e-5)
    assert done.manifest.fit["auc"] > 0.55


def test_impressions_of_a_single_day_are_refused_as_nothing_could_be_trained(small_log, tmp_path: Path) -> None:
    rows = [(u, i, int(v >= 4), 1_700_000_000 + k) for k, (u, i, v, _) in enumerate(small_log)]
    log = write(tmp_path / "log.csv", rows, ("user_id", "item_id", "is_click", "timestamp"))
    with pytest.raises(SandboxError, match="more than a day"):
        bring_in(log)


def test_the_checks_run_on_a_world_of_two_items(tmp_path: Path) -> None:
    rows = [(f"u{k % 2}", f"i{k // 2 % 2}", 3, 1_700_000_000 + 900 * k) for k in range(8)]
    bring_in(write(tmp_path / "log.csv", rows))
    assert {"ctr_uniform", "conversion_within_1h"} <= {c.check for c in check("mine")}


def test_what_is_written_for_programs_adds_up(small_log, tmp_path: Path) -> None:
    rows = [*small_log, ("", "i01", 3, 1_700_000_001), small_log[0]]
    items = write(tmp_path / "items.csv", [(f"i{k:02d}", "t") for k in [*range(1, 40), 5]], ("id", "title"))
    done = bring_in(write(tmp_path / "log.csv", rows), items=items).as_json()
    assert done["rows"] == done["interactions"] + sum(done["skipped"].values()) == 1_502
    assert done["skipped_entities"] == {"items": {"item listed twice": 1}}
    assert {"file": "log.csv", "column": "rating", "role": "value", "note": ""} in done["columns"]
    assert done["filled"]["creator"] == 39
