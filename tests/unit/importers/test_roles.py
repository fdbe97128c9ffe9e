"""What each column became is said, of those too that looked like something and were not taken."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sandbox.base.errors import SandboxError
from sandbox.world.importers import table
from sandbox.world.importers.source import Source
from sandbox.world.importers.table import Options

START = 1_433_116_800  # 1 June 2015, UTC


def log_file(path: Path, header: str, row, n: int = 400) -> Path:
    """row: number -> fields. A new row every 50 minutes."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *(row(k) for k in range(n))])
    return path


def roles(source: Source) -> dict[str, str]:
    return {use.column: use.role for use in source.columns}


def note_of(source: Source, column: str) -> str:
    return next(use.note for use in source.columns if use.column == column)


def at(k: int) -> int:
    return START + 3_000 * k


def test_of_two_times_the_finer_is_taken_and_the_other_named(tmp_path: Path) -> None:
    log = log_file(
        tmp_path / "log.csv",
        "user_id,item_id,date,hourmin,time_ms",
        lambda k: (k % 9, k % 13, f"{datetime.fromtimestamp(at(k), UTC):%Y%m%d}", k % 24 * 100, 1_000 * at(k) + 7),
    )
    source = table.read(log)
    assert roles(source) == {"user_id": "user", "item_id": "item", "date": "", "hourmin": "", "time_ms": "time"}
    assert "epoch milliseconds" in note_of(source, "time_ms")
    assert "coarser than 'time_ms'" in note_of(source, "date")
    assert source.log.ts[0] == START + 0.007
    by_hand = table.read(log, mapping={"time": "date"})
    assert by_hand.log.ts[0] == START
    assert any("without a time of day" in note for note in by_hand.notes)


def test_a_finer_time_that_does_not_read_well_is_not_taken(tmp_path: Path) -> None:
    log = log_file(
        tmp_path / "log.csv",
        "user_id,item_id,date,timestamp",
        lambda k: (k % 9, k % 13, f"2015-06-{1 + k // 20:02d}", at(k) if k % 3 == 0 else "later"),
    )
    source = table.read(log)
    assert roles(source)["date"] == "time"
    assert "reads less well" in note_of(source, "timestamp") or "cannot" in note_of(source, "timestamp")
    assert len(source.log) == source.rows == 400


def test_the_form_that_reads_most_of_the_whole_column_is_taken(tmp_path: Path) -> None:
    def day_first(k: int) -> str:
        return f"{datetime.fromtimestamp(at(k), UTC):%d/%m/%Y %H:%M}"

    log = log_file(tmp_path / "log.csv", "user_id,item_id,date", lambda k: (k % 9, k % 13, day_first(k)), 800)
    source = table.read(log)
    assert (len(source.log), dict(source.skipped), source.notes) == (800, {}, [])
    assert source.log.ts[-1] == at(799)


def test_a_second_column_of_users_is_named(tmp_path: Path) -> None:
    log = log_file(
        tmp_path / "log.csv", "customer_id,user_id,item_id,timestamp", lambda k: (k % 7, k % 9, k % 13, at(k))
    )
    source = table.read(log)
    assert roles(source)["user_id"] == "user"
    assert note_of(source, "customer_id") == "looks like the user, which is 'user_id'"


@pytest.mark.parametrize(("name", "yes", "no"), [
    ("is_click", "1", "0"), ("label", "1.0", "0.0"), ("clicked", "true", "false"), ("click", "Y", "N"),
])  # fmt: skip
def test_a_label_of_clicks_tells_what_was_shown_and_left(tmp_path, name, yes, no) -> None:
    log = log_file(
        tmp_path / "log.csv",
        f"user_id,item_id,timestamp,{name}",
        lambda k: (k % 9, k % 13, at(k), yes if k % 3 == 0 else no),
    )
    source = table.read(log)
    assert source.has_negatives
    assert (len(source.log), int(source.log.click.sum())) == (400, 134)
    assert note_of(source, name) == "266 rows shown and not clicked, 134 clicked"
    ignored = table.read(log, options=Options(ignore=(name,)))
    assert not ignored.has_negatives
    assert ignored.log.click.all()
    assert note_of(ignored, name) == "--ignore"


def test_a_label_that_says_nothing_or_something_else_is_left_and_said(tmp_path: Path) -> None:
    for what, says in (("1", "1 in every row"), ("sci-fi", "neither 0 nor 1")):
        log = log_file(
            tmp_path / "log.csv", "user_id,item_id,timestamp,label", lambda k, what=what: (k % 9, k % 13, at(k), what)
        )
        source = table.read(log)
        assert not source.has_negatives
        assert says in note_of(source, "label")


def test_rows_without_a_label_are_counted_and_are_no_clicks(tmp_path: Path) -> None:
    log = log_file(
        tmp_path / "log.csv",
        "user_id,item_id,timestamp,is_click",
        lambda k: (k % 9, k % 13, at(k), "" if k % 20 == 0 else k % 2),
    )
    source = table.read(log)
    assert source.skipped == {"click neither 0 nor 1": 20}
    assert (len(source.log), int(source.log.click.sum())) == (380, 200)


def test_a_log_without_any_click_is_refused_with_the_way_out(tmp_path: Path) -> None:
    log = log_file(tmp_path / "log.csv", "user_id,item_id,timestamp,is_click", lambda k: (k % 9, k % 13, at(k), 0))
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        table.read(log)
    assert "no row that was clicked" in str(refused.value.seen)
    assert "--ignore" in refused.value.fix


def test_a_score_that_is_no_number_is_no_value_unless_it_is_mapped(tmp_path: Path) -> None:
    log = log_file(tmp_path / "log.csv", "user_id,item_id,timestamp,score", lambda k: (k % 9, k % 13, at(k), "good"))
    source = table.read(log)
    assert len(source.log) == 400
    assert "holds no numbers" in note_of(source, "score")
    with pytest.raises(SandboxError, match="unreadable value: 400"):
        table.read(log, mapping={"value": "score"})


def test_an_unknown_column_to_ignore_is_refused(tmp_path: Path) -> None:
    log = log_file(tmp_path / "log.csv", "user_id,item_id,ts", lambda k: (k % 9, k % 13, at(k)))
    with pytest.raises(SandboxError, match="CFG-004"):
        table.read(log, options=Options(ignore=("nose",)))


def test_lists_of_what_was_shown_become_rows(tmp_path: Path) -> None:
    lines = []
    for k in range(300):
        when = datetime.fromtimestamp(at(k), UTC)
        shown = " ".join(f"N{j % 40}-{int(j % 4 == k % 4)}" for j in range(k, k + 1 + k % 6))
        lines.append(f"{k}\tU{k % 20}\t{when:%m/%d/%Y %I:%M:%S %p}\tN1 N2\t{shown}")
    lines += ["300\tU1\tlater\t\tN1-0 N2-1", "301\tU1\t06/02/2015 1:00:00 PM\t\tN1 N2-1",
              "302\tU1\t06/02/2015 1:00:00 PM\tN1\t", "303\tU1\t06/02/2015 1:00:00 PM"]  # fmt: skip
    (tmp_path / "behaviors.tsv").write_text("\n".join(lines))
    source = table.read(tmp_path / "behaviors.tsv")
    entries = sum(1 + k % 6 for k in range(300))
    assert source.has_negatives
    assert len(source.log) == entries + 1
    assert source.skipped == {
        "unreadable time": 2,
        "click neither 0 nor 1": 1,
        "nothing shown": 1,
        "too few columns": 1,
    }
    assert source.rows == entries + 6
    assert roles(source) == {"impression": "", "user": "user", "time": "time", "history": "", "impressions": "shown"}
    by_number = table.read(tmp_path / "behaviors.tsv", mapping={"user": "2", "time": "3", "item": "5"})
    np.testing.assert_array_equal(by_number.log.click, source.log.click)


def test_news_without_a_header_give_lists_their_titles(tmp_path: Path) -> None:
    (tmp_path / "behaviors.tsv").write_text(
        "\n".join(
            f"{k}\tU{k % 20}\t{datetime.fromtimestamp(at(k), UTC):%m/%d/%Y %I:%M:%S %p}\t\tN{k % 9}-1 N9-0"
            for k in range(100)
        )
    )
    (tmp_path / "news.tsv").write_text(
        "\n".join(f'N{k}\tsports\tsoccer\tThe "{k}" game\t\thttp://n\t[]\t[]' for k in range(10))
    )
    source = table.read(tmp_path / "behaviors.tsv", items=tmp_path / "news.tsv")
    assert source.items.text("title")[3] == 'The "3" game'
    assert source.items.text("topics")[3] == "sports"
    assert len(source.log) == 200
