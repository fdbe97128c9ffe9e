"""The lake's writing side: no row is lost, none is there twice, whatever the disk does meanwhile."""

import errno
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.telemetry import segments as module
from sandbox.telemetry.lake import connect
from sandbox.telemetry.manifest import read_manifest
from sandbox.telemetry.segments import FANOUT, LINGER_S, MAX_BUFFERED_ROWS, SegmentStore, read_rows


class Wall:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def row(number: int) -> list:
    return [float(number), "requests", "all", float(number)]


def values(root) -> list[float]:
    return read_rows(root, "metrics")["value"].to_pylist()


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.integers(1, 40), max_size=60), every=st.integers(1, 7))
def test_compaction_neither_loses_nor_doubles_nor_reorders_a_row(tmp_path_factory, batches, every):
    root = tmp_path_factory.mktemp("lake")
    store, sent = SegmentStore(root, Wall()), 0

    for turn, size in enumerate(batches):
        store.add("metrics", [row(sent + n) for n in range(size)])
        sent += size
        store.flush()
        if turn % every == 0:
            while store.compact():
                assert values(root) == list(range(sent))

    assert values(root) == list(range(sent))


def test_many_flushes_leave_few_segments_and_no_file_that_nobody_reads(tmp_path):
    wall = Wall()
    store = SegmentStore(tmp_path, wall)

    for number in range(FANOUT**2 + 5):
        store.add("metrics", [row(number)])
        store.flush()
        store.compact()
    while store.compact():
        pass
    before = len(list(tmp_path.glob("*/*.parquet")))
    wall.now_s += LINGER_S + 1
    store.sweep()

    assert before > FANOUT**2
    assert len(store.segments("metrics")) == 1 + 5
    assert len(list(tmp_path.glob("*/*.parquet"))) == 1 + 5
    assert values(tmp_path) == list(range(FANOUT**2 + 5))


def test_a_retired_segment_stays_while_a_reader_may_hold_the_manifest(tmp_path):
    wall = Wall()
    store = SegmentStore(tmp_path, wall)
    for number in range(FANOUT):
        store.add("metrics", [row(number)])
        store.flush()
    held = read_manifest(tmp_path)["metrics"]

    store.compact()
    wall.now_s += LINGER_S - 1
    store.sweep()

    assert all((tmp_path / segment.file).exists() for segment in held)


@pytest.mark.parametrize("failing", ["write_table", "write_atomically"])
def test_a_full_disk_keeps_what_is_written_and_takes_up_again_when_there_is_space(tmp_path, monkeypatch, failing):
    store = SegmentStore(tmp_path, Wall())
    store.add("metrics", [row(0)])
    store.flush()

    def no_space(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(module.pq if failing == "write_table" else module, failing, no_space)
        store.add("metrics", [row(1)])
        with pytest.raises(OSError, match="No space"):
            store.flush()
        assert values(tmp_path) == [0.0]
    store.flush()

    assert values(tmp_path) == [0.0, 1.0]


def test_a_disk_that_stays_full_costs_the_oldest_rows_and_says_how_many(tmp_path):
    store = SegmentStore(tmp_path, Wall())

    for start in range(0, MAX_BUFFERED_ROWS + 300, 300):
        store.add("metrics", [row(start + n) for n in range(300)])

    assert store.buffered == MAX_BUFFERED_ROWS
    assert store.counters.dropped_full > 0
    store.flush()
    assert min(values(tmp_path)) == store.counters.dropped_full


def test_a_restarted_collector_goes_on_from_the_manifest_and_ignores_half_written_files(tmp_path):
    first = SegmentStore(tmp_path, Wall())
    first.add("metrics", [row(0)])
    first.flush()
    (tmp_path / "metrics" / "00000007.parquet").write_bytes(b"PAR1 half of it")

    second = SegmentStore(tmp_path, Wall())
    second.add("metrics", [row(1)])
    second.flush()

    assert values(tmp_path) == [0.0, 1.0]


def test_values_of_a_wrong_type_cost_their_row_and_no_other(tmp_path):
    store = SegmentStore(tmp_path, Wall())

    store.add("metrics", [row(0), [0.0, "ctr", "all", "not a number"], [1e300, "ctr", "all", 1.0]])
    store.add("metrics", [[float("nan"), 5, None, "3"]])
    store.flush()

    assert store.counters.dropped_bad == 2
    kept = read_rows(tmp_path, "metrics").to_pylist()
    assert kept[1] == {"ts": None, "name": "5", "label": None, "value": 3.0}


def test_a_damaged_manifest_costs_no_row(tmp_path):
    first = SegmentStore(tmp_path, Wall())
    first.add("metrics", [row(0)])
    first.flush()
    (tmp_path / "manifest.json").write_text('{"format": 1, "tab')

    second = SegmentStore(tmp_path, Wall())
    second.add("metrics", [row(1)])
    second.flush()

    assert values(tmp_path) == [0.0, 1.0]


def test_what_is_no_number_is_found_by_asking_for_it(tmp_path):
    store = SegmentStore(tmp_path, Wall())
    store.add("metrics", [row(1), [*row(2)[:3], math.nan], row(3)])
    store.flush()

    with connect(tmp_path) as lake:
        found = lake.execute("SELECT count(*) FROM metrics WHERE isnan(value)").fetchone()

    assert found == (1,)


def test_a_segment_made_beforehand_is_read_as_rows_that_were_added_are(tmp_path):
    added, adopted = (SegmentStore(tmp_path / name, Wall()) for name in ("added", "adopted"))
    rows = [row(0), row(1), [3.0, "requests", "all", "no number"], row(2)]
    ready = module.made("metrics", rows)

    added.add("metrics", rows)
    adopted.adopt("metrics", ready)
    assert added.flush() == 3
    adopted.flush()

    assert read_rows(adopted.root, "metrics").equals(read_rows(added.root, "metrics"))
    assert adopted.counters == added.counters
    assert [p.read_bytes() for p in adopted.root.glob("*/*.parquet")] == [ready.blob]


def test_an_adopted_segment_stands_before_what_is_added_later_and_none_is_made_of_no_rows(tmp_path):
    store = SegmentStore(tmp_path, Wall())
    store.adopt("metrics", module.made("metrics", [row(0)]))
    store.adopt("logs", module.made("logs", []))
    store.add("metrics", [row(1)])
    store.flush()

    assert values(tmp_path) == [0.0, 1.0]
    assert read_manifest(tmp_path).keys() == {"metrics"}
