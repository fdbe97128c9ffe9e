"""Time stamps of whatever form: one form per column, the one that reads most of the whole column."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from sandbox.world.importers.dates import stamp, written_forms
from sandbox.world.importers.source import refuse

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC).timestamp()  # a log; what it tells of may be older
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
UNITS = (86_400.0, 3_600.0, 60.0, 1.0)  # seconds; what a column's times are whole multiples of
_LEAST_SHARE = 0.5  # of a column that the form must read
_SAMPLE = 400  # rows, spread over the column, by which forms are ranked
_ISO_LENGTHS = {10, 16, 19, 23, 26}


@dataclass(frozen=True)
class TimeForm:
    """A form of time. read: text -> seconds since the epoch; raises ValueError when it is another.

    Times without a zone are taken as UTC.
    """

    name: str
    read: Callable[[str], float]

    def parse(self, text: str) -> float:
        """The time of a log's row. Raises ValueError outside 1980 to 2100, too."""
        ts = self.read(text)
        if not EARLIEST <= ts < LATEST:  # NaN fails too
            raise ValueError(f"{ts} is outside 1980..2100")
        return ts


@dataclass(frozen=True)
class Times:
    """A column read. ts: float64 [n], world seconds, NaN where unreadable. rival: name of another form
    that reads as much, or ""."""

    ts: np.ndarray
    form: TimeForm
    rival: str

    @property
    def unit(self) -> float:
        """Seconds, the coarsest of UNITS that all times are whole multiples of, else 0."""
        known = self.ts[~np.isnan(self.ts)]
        return next((u for u in UNITS if not (known % u).any()), 0.0) if len(known) else UNITS[0]


def _epoch(divisor: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        ts = float(text) / divisor
        if not EARLIEST <= ts < LATEST:
            raise ValueError("an epoch of another unit")
        return ts

    return read


def _compact(text: str) -> float:
    digits = text.strip().removesuffix(".0")
    pattern = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits), "")
    if not digits.isdigit() or not pattern:
        raise ValueError("no compact date")
    return stamp(datetime.strptime(digits, pattern))


FORMS = (
    TimeForm("epoch seconds", _epoch(1)),
    TimeForm("epoch milliseconds", _epoch(1e3)),
    TimeForm("epoch microseconds", _epoch(1e6)),
    TimeForm("epoch nanoseconds", _epoch(1e9)),
    TimeForm("compact date", _compact),
    *(TimeForm(name, read) for name, read in written_forms()),
)
_DIVISORS = dict(zip(FORMS[:4], (1.0, 1e3, 1e6, 1e9), strict=True))


def recognise(sample: Sequence[str], where: str) -> tuple[TimeForm, str]:
    """The form that reads most of a sample, and a note where another form reads as much.

    Ties go to the form named first: month before day. Raises WORLD-002 when none reads half of it.
    """
    times = read_column(sample, where)
    return times.form, ambiguity(times, where)


def ambiguity(times: Times, where: str) -> str:
    """The note that a column whose form is not certain deserves, or ""."""
    if not times.rival:
        return ""
    return f"{where}: read as {times.form.name}; {times.rival} would fit as well"


def read_column(texts: Sequence[str], where: str) -> Times:
    """Every time of a column. Of two forms that read as much, the one under which the column is in
    order, else the one named first.

    Raises WORLD-002 when no form reads half of what is there.
    """
    filled = [text for text in spread(texts, _SAMPLE) if text.strip()]
    if not filled:
        filled = [text for text in texts if text.strip()][:_SAMPLE]
    ranked = _ranked(filled, lambda form, text: form.parse(text))
    there = sum(1 for text in texts if text.strip())
    read = _read_by_rivals(ranked, filled, texts, there)
    counts = [int((~np.isnan(ts)).sum()) for _, ts in read]
    if not read or max(counts) < _LEAST_SHARE * there:
        refuse(
            where,
            filled[0][:60] if filled else "no value",
            "epoch seconds, milliseconds or microseconds, ISO 8601 or a common date, 1980 to 2100",
            "map time to the column that holds the time of the interaction",
        )
    alike = [pair for pair, count in zip(read, counts, strict=True) if count == max(counts)]
    ordered = [pair for pair in alike if _in_order(pair[1])]
    chosen = ordered[0] if len(ordered) == 1 else alike[0]
    rival = next((form.name for form, ts in alike if not _same(ts, chosen[1])), "")
    return Times(chosen[1], chosen[0], rival)


def read_dates(texts: Sequence[str]) -> np.ndarray:
    """float64 [n], seconds since the epoch of dates of any year, years alone among them; NaN where
    there is none. One form for all, the one that reads most of them."""
    dates = [text for text in texts if text.strip() and np.isnan(_year(text))]
    ranked = _ranked(spread(dates, _SAMPLE), lambda form, text: form.read(text))
    rivals = [form for form, score in ranked if score and score >= 0.8 * ranked[0][1]]
    read = [np.array([_date(text, form) for text in texts], np.float64) for form in rivals]
    if not read:
        return np.array([_year(text) for text in texts], dtype=np.float64)
    return max(read, key=lambda ts: int((~np.isnan(ts)).sum()))


def year_or_date(text: str, form: TimeForm | None) -> float:
    """Seconds since the epoch of a publication date: a year, or the form given. NaN where neither."""
    return _date(text, form)


def spread(texts: Sequence[str], most: int) -> list[str]:
    """At most so many of them, evenly over all."""
    if len(texts) <= most:
        return list(texts)
    return [texts[k] for k in np.linspace(0, len(texts) - 1, most).astype(int).tolist()]


def _year(text: str) -> float:
    text = text.strip().removesuffix(".0")
    if not re.fullmatch(r"1[89]\d\d|20\d\d", text):
        return float("nan")
    return datetime(int(text), 1, 1, tzinfo=UTC).timestamp()


def _date(text: str, form: TimeForm | None) -> float:
    year = _year(text)
    if form is None or not np.isnan(year) or not text.strip():
        return year
    try:
        return form.read(text)
    except (ValueError, OverflowError):
        return float("nan")


def _ranked(sample: Sequence[str], read: Callable[[TimeForm, str], float]) -> list[tuple[TimeForm, int]]:
    """Forms and how many of the sample they read, most first, ties in the order of FORMS."""

    def reads(form: TimeForm, text: str) -> bool:
        try:
            read(form, text)
        except (ValueError, OverflowError):
            return False
        return True

    scores = [(form, sum(reads(form, text) for text in sample)) for form in FORMS]
    return sorted(scores, key=lambda pair: -pair[1])


def _read_by_rivals(
    ranked: list[tuple[TimeForm, int]], sample: list[str], texts: Sequence[str], there: int
) -> list[tuple[TimeForm, np.ndarray]]:
    """The column as the forms read it that may read most of it, by what they read of its sample.

    Where the first of them reads all of `there`, those that mean the same by the sample are left out.
    """
    forms = [form for form, score in ranked if score and score >= 0.8 * ranked[0][1]]
    read: list[tuple[TimeForm, np.ndarray]] = []
    for form in forms:
        if read and int((~np.isnan(read[0][1])).sum()) == there:
            ours, theirs = _all(form, sample), _all(read[0][0], sample)
            if not (~np.isnan(ours) & (ours != theirs)).any():
                continue
        read.append((form, _all(form, texts)))
    return read


def _all(form: TimeForm, texts: Sequence[str]) -> np.ndarray:
    """float64 [n], NaN where the form does not read."""
    fast = _fast(form, texts)
    if fast is not None:
        outside = ~((fast >= EARLIEST) & (fast < LATEST))
        return np.where(outside, np.nan, fast)
    known: dict[str, float] = {}
    ts = np.empty(len(texts))
    for row, text in enumerate(texts):
        when = known.get(text)
        if when is None:
            try:
                when = form.parse(text)
            except (ValueError, OverflowError):
                when = float("nan")
            if len(known) < 100_000:  # dates without seconds come again and again
                known[text] = when
        ts[row] = when
    return ts


def _fast(form: TimeForm, texts: Sequence[str]) -> np.ndarray | None:
    """The whole column at once, where it is of the plainest make; None where it is not."""
    try:
        if form in _DIVISORS:
            return np.fromiter(map(float, texts), np.float64, len(texts)) / _DIVISORS[form]
        if form.name == "ISO 8601" and set(map(len, texts)) <= _ISO_LENGTHS:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # numpy warns of zones, and drops them
                whole = np.array(texts, dtype="datetime64[us]")
            return np.asarray(whole.astype(np.int64) / 1e6)
    except (ValueError, OverflowError, Warning):
        pass
    return None


def _in_order(ts: np.ndarray) -> bool:
    step = np.diff(ts[~np.isnan(ts)])
    return bool(len(step) and ((step >= 0).all() or (step <= 0).all()))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))
