"""The hash of a lake: of its rows, not of how they came to be there."""

from __future__ import annotations

import json
import math

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.cli.app import main
from sandbox.telemetry.hash import LakeHash, lake_hash
from sandbox.telemetry.segments import SegmentStore
from tests.unit.telemetry.toy import request, row, write_toy

ROWS = [request(n, latency_ms=0.1 * n, fallback=None if n % 7 else "none") for n in range(300)]


def written(lake, *batches, table="requests") -> LakeHash:
    """Each batch becomes a segment of its own."""
    store = SegmentStore(lake, lambda: 0.0)
    for batch in batches:
        store.add(table, batch)
        store.flush()
    return lake_hash(lake)


def test_order_and_segments_of_the_same_rows_do_not_matter(tmp_path):
    at_once = written(tmp_path / "a", ROWS)
    piecemeal = written(tmp_path / "b", ROWS[200:][::-1], ROWS[:1], ROWS[1:200])

    assert piecemeal == at_once
    assert set(at_once.tables) == set(TABLES)


def test_merging_segments_changes_nothing(tmp_path):
    now = [0.0]
    store = SegmentStore(tmp_path, lambda: now[0])
    for start in range(0, 300, 10):
        store.add("requests", ROWS[start : start + 10])
        store.flush()
    before = lake_hash(tmp_path)

    store.compact()

    assert lake_hash(tmp_path) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"latency_ms": math.nextafter(20.0, 21.0)},
        {"latency_ms": None},
        {"fallback": ""},
        {"fallback": None},
        {"region": "E", "segment": "Uregular"},  # what was one cell's text is now the next one's
        {"degraded": True},
        {"ts": 1_700_000_001.000001},
        {"user_id": 8},
    ],
)
def test_one_changed_cell_changes_its_table_and_no_other(tmp_path, changed):
    before = written(tmp_path / "a", [*ROWS, request(1)])
    after = written(tmp_path / "b", [*ROWS, request(1, **changed)])

    assert after.tables["requests"] != before.tables["requests"]
    assert after.all != before.all
    same = {name for name in TABLES if after.tables[name] == before.tables[name]}
    assert same == set(TABLES) - {"requests"}


def test_a_row_twice_is_not_a_row_once_and_a_swap_between_rows_is_seen(tmp_path):
    one, two = request(1, latency_ms=1.0), request(2, latency_ms=2.0)
    crossed = [request(1, latency_ms=2.0), request(2, latency_ms=1.0)]
    hashes = [written(tmp_path / str(n), rows).all for n, rows in enumerate([[one], [one, one], [one, two], crossed])]

    assert len(set(hashes)) == 4


def test_numbers_that_are_none_have_their_place(tmp_path):
    values = [math.nan, math.inf, -math.inf, 0.0, -0.0, None, 5e-324]
    hashes = {
        written(tmp_path / str(n), [row("metrics", name="x", value=v)], table="metrics").all
        for n, v in enumerate(values)
    }

    assert len(hashes) == len(values)


def test_the_command_prints_the_hashes_of_a_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    run = tmp_path / "runs" / "one"
    write_toy(run / "lake")
    (run / "run.json").write_text(
        json.dumps(
            dict.fromkeys(("run_dir", "world", "world_dir", "redis"), str(run))
            | {"world_start": 0, "wall_start": 0, "speed": 60, "seed": 1, "addresses": {}, "metrics": {}}
        )
    )

    printed = []
    for name in (str(run), "one"):
        with pytest.raises(SystemExit) as left:
            main(["lake", "hash", name, "--json"])
        assert not left.value.code
        printed.append(json.loads(capsys.readouterr().out))

    expected = lake_hash(run / "lake")
    assert printed == [{"tables": expected.tables, "all": expected.all}] * 2


@pytest.mark.parametrize("name", ["nowhere", ".", "/dev/null"])
def test_what_is_no_run_is_refused(tmp_path, capsys, monkeypatch, name):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as left:
        main(["lake", "hash", name, "--json"])

    assert left.value.code == 2
    assert json.loads(capsys.readouterr().err)["code"] in ("RUN-001", "CFG-002")


def test_a_lake_with_a_damaged_segment_or_none_at_all_is_refused(tmp_path):
    write_toy(tmp_path / "lake")
    segment = next((tmp_path / "lake" / "requests").glob("*.parquet"))
    segment.write_bytes(segment.read_bytes()[:100])

    for lake in (tmp_path / "lake", tmp_path / "none"):
        with pytest.raises(SandboxError) as refused:
            lake_hash(lake)
        assert refused.value.kind.code == "LAKE-007"
