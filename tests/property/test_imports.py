"""Whatever a file holds: its rows are interactions or skipped by a reason that is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.world.importers import table
from sandbox.world.importers.source import Source
from sandbox.world.importers.table import Options

_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
KEYS = ["a", "b", "c", "nan", "NULL", "\\N", "", " ", "7", '"a"', '"', 'b"', '"c', "é", "a b", "-"]
TIMES = ["1700000000", "1700090000", "1700180000", "1700270000", "4102358400", "", "soon", '"1700000000"']
VALUES = ["5", "3", "0", "", "NaN", "4,5", '"4.0"', "good"]
CLICKS = ["0", "1", "", "x"]
DELIMITERS = [",", "\t", ";", "|"]

fields = st.tuples(
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    st.sampled_from(VALUES),
    st.sampled_from(TIMES),
    st.sampled_from(CLICKS),
)
sound = st.tuples(
    st.sampled_from("abcdefg"),
    st.sampled_from("pqrstuv"),
    st.sampled_from("12345"),
    st.integers(1_700_000_000, 1_700_600_000).map(str),
    st.sampled_from("01"),
)
rows = st.lists(st.one_of(sound, sound, sound, fields), min_size=1, max_size=60)
widths = st.lists(st.integers(-3, 2), max_size=60)


def text_of(rows, widths, delimiter: str, quote: str) -> list[str]:
    """Lines, some of them of another width. quote: `all`, `none` or a field in four."""
    lines = []
    for k, row in enumerate(rows):
        width = len(row) + (widths[k] if k < len(widths) and k % 5 == 0 else 0)
        written = [*row, "", "more"][: max(1, width)]
        if quote == "all" or (quote == "some" and k % 4 == 0):
            written = ['"' + field.replace('"', '""') + '"' for field in written]
        lines.append(delimiter.join(written))
    return lines


def read(folder: Path, lines: list[str], header: str, options: Options) -> Source | None:
    path = folder / "log.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    try:
        return table.read(path, options=options)
    except SandboxError as refused:
        assert refused.kind.code == "WORLD-002"  # noqa: PT017
        return None


@settings(max_examples=120, deadline=None, suppress_health_check=_QUIET)
@given(
    rows=rows, widths=widths, delimiter=st.sampled_from(DELIMITERS),
    quote=st.sampled_from(["none", "all", "some"]), keep=st.booleans(),
    names=st.sampled_from(["user,item,rating,time,x", "user,item,rating,time,click"]),
)  # fmt: skip
@example(
    rows=[("a", "p", "3", str(1_700_000_000 + k), "1") for k in range(9)] + [('"c', "p", "3", "1700000099", "1")],
    widths=[], delimiter="\t", quote="none", keep=False, names="user,item,rating,time,x",
)  # fmt: skip
def test_rows_in_are_interactions_and_skipped_rows(
    tmp_path: Path, rows, widths, delimiter: str, quote: str, keep: bool, names: str
) -> None:
    lines = text_of(rows, widths, delimiter, quote)
    header = names.replace(",", delimiter)
    source = read(tmp_path, lines, header, Options(keep_null_words=keep))
    event("refused" if source is None else "read")
    assume(source is not None)
    assert source is not None
    log = source.log
    # No line of this file runs on in the next: what is a line that is not blank is a row.
    written = sum(1 for line in lines if line.strip() or delimiter in line)
    assert source.rows == written
    assert source.rows == len(log) + sum(source.skipped.values())
    assert all(count > 0 for count in source.skipped.values())
    assert {use.column for use in source.columns} == set(names.split(","))
    assert len(source.users) == len(np.unique(log.user))
    assert len(source.items) == len(np.unique(log.item))
    assert (np.diff(log.ts) >= 0).all()
    assert np.isfinite(log.ts).all()
    assert not np.isinf(log.value).any()


@settings(max_examples=80, deadline=None, suppress_health_check=_QUIET)
@given(content=st.binary(max_size=600), start=st.sampled_from([
    b"", b"user,item,time\n", b"{", b"[{", b"PAR1", b"\x1f\x8b", b"BZh9", b"PK\x03\x04", b"\xfd7zXZ\x00",
    b"\xff\xfe", b"u\ti\t1/2/2021 1:00:00 PM\t\tN1-0 N2-1\n",
]))  # fmt: skip
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, start: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(start + content)
    try:
        source = table.read(path)
    except SandboxError as refused:
        assert refused.kind.code == "WORLD-002"  # noqa: PT017
        return
    assert source.rows == len(source.log) + sum(source.skipped.values())


@settings(max_examples=60, deadline=None, suppress_health_check=_QUIET)
@given(days=st.lists(st.integers(0, 4_000), min_size=30, max_size=80), first=st.booleans())
def test_dates_mean_what_they_say_where_any_of_them_tells_day_from_month(
    tmp_path: Path, days: list[int], first: bool
) -> None:
    dates = np.datetime64("2005-01-13") + np.array([0, *days])  # the 13th is a day
    form = "{2}/{1}/{0}" if first else "{1}/{2}/{0}"
    lines = [f"u{k % 3},i{k % 5},{form.format(*str(day).split('-'))}" for k, day in enumerate(dates)]
    source = read(tmp_path, lines, "user,item,date", Options())
    assume(source is not None)  # all on one day
    assert source is not None
    assert source.rows == len(lines)
    told = {np.datetime64(int(ts), "s").astype("datetime64[D]") for ts in source.log.ts}
    assert told <= set(dates)
