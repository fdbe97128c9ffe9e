"""Time stamps of whatever form: one form is recognised per column, and says what it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.world.importers.source import refuse

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC).timestamp()  # a log; what it tells of may be older
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_LEAST_SHARE = 0.5  # of a sample that the form must read

_PATTERNS = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y",
    "%m-%d-%Y %H:%M:%S", "%m-%d-%Y", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y",
    "%d-%b-%Y %H:%M:%S", "%d-%b-%Y", "%d %b %Y %H:%M:%S", "%d %b %Y", "%d %B %Y",
    "%b %d, %Y %H:%M:%S", "%b %d, %Y %I:%M:%S %p", "%b %d, %Y", "%B %d, %Y",
    "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y",
    "%d/%b/%Y:%H:%M:%S %z", "%m/%d/%y %H:%M", "%m/%d/%y",
)  # fmt: skip


@dataclass(frozen=True)
class TimeForm:
    """A form of time. parse: text -> seconds since the epoch; raises ValueError when it is another.

    Times without a zone are taken as UTC.
    """

    name: str
    parse: Callable[[str], float]


def _epoch(divisor: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        return _within(float(text) / divisor)

    return parse


def _within(ts: float) -> float:
    if not EARLIEST <= ts < LATEST:  # NaN fails too
        raise ValueError(f"{ts} is outside 1980..2100")
    return ts


def _iso(text: str) -> float:
    text = text.strip().removesuffix(" UTC").removesuffix(" Z")
    if text.isdigit():  # a number is an epoch or a compact date, each with its own form
        raise ValueError("a plain number")
    return _within(_stamp(datetime.fromisoformat(text)))


def _pattern(pattern: str) -> Callable[[str], float]:
    return lambda text: _within(_stamp(datetime.strptime(text.strip(), pattern)))


def _compact(text: str) -> float:
    digits = text.strip()
    pattern = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits), "")
    if not digits.isdigit() or not pattern:
        raise ValueError("no compact date")
    return _within(_stamp(datetime.strptime(digits, pattern)))


def _stamp(when: datetime) -> float:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


FORMS = (
    TimeForm("epoch seconds", _epoch(1)),
    TimeForm("epoch milliseconds", _epoch(1e3)),
    TimeForm("epoch microseconds", _epoch(1e6)),
    TimeForm("epoch nanoseconds", _epoch(1e9)),
    TimeForm("compact date", _compact),
    TimeForm("ISO 8601", _iso),
    *(TimeForm(pattern, _pattern(pattern)) for pattern in _PATTERNS),
)


def recognise(sample: Sequence[str], where: str) -> tuple[TimeForm, str]:
    """The form that reads most of a sample, and a note where another form reads as much.

    Ties go to the form named first: month before day. Raises WORLD-002 when none reads half of it.
    """
    texts = [text for text in sample if text.strip()]
    scores = [sum(_reads(form, text) for text in texts) for form in FORMS]
    best = max(scores, default=0)
    if not texts or best < _LEAST_SHARE * len(texts):
        refuse(
            where, texts[0][:60] if texts else "no value",
            "epoch seconds, milliseconds or microseconds, ISO 8601 or a common date, 1980 to 2100",
            "map time to the column that holds the time of the interaction",
        )  # fmt: skip
    alike = [form for form, score in zip(FORMS, scores, strict=True) if score == best]
    note = ""
    if len(alike) > 1:
        note = f"{where}: read as {alike[0].name}; {alike[1].name} would fit as well"
    return alike[0], note


def year_or_date(text: str, form: TimeForm | None) -> float:
    """Seconds since the epoch of a publication date: a year, or the form given. NaN where neither."""
    text = text.strip()
    if re.fullmatch(r"1[89]\d\d|20\d\d", text):
        return datetime(int(text), 1, 1, tzinfo=UTC).timestamp()
    try:
        return form.parse(text) if form else float("nan")
    except (ValueError, OverflowError):
        return float("nan")


def _reads(form: TimeForm, text: str) -> bool:
    try:
        form.parse(text)
    except (ValueError, OverflowError):
        return False
    return True
