"""Written dates: orders of day, month and year, each with an optional time of day and zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

_TIME = (
    r"(?:(?:[T:]|,?\s+)(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp])?(?:\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
_DAY, _MONTH, _YEAR = r"(?P<d>\d{1,2})", r"(?P<m>\d{1,2})", r"(?P<y>\d{4})"
_SHORT_YEAR, _NAME = r"(?P<y>\d{2})", r"(?P<name>[A-Za-z]{3,9})\.?"
# Month before day where both would fit: the form named first wins a tie.
_ORDERS = {
    "%Y/%m/%d": f"{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}",
    "%d.%m.%Y": rf"{_DAY}\.{_MONTH}\.{_YEAR}",
    "%m/%d/%Y": f"{_MONTH}/{_DAY}/{_YEAR}",
    "%d/%m/%Y": f"{_DAY}/{_MONTH}/{_YEAR}",
    "%m-%d-%Y": f"{_MONTH}-{_DAY}-{_YEAR}",
    "%d-%m-%Y": f"{_DAY}-{_MONTH}-{_YEAR}",
    "%d-%b-%Y": rf"{_WEEKDAY}{_DAY}(?:st|nd|rd|th)?[-/.\s]\s*{_NAME},?[-/\s]{_YEAR}",
    "%b %d, %Y": rf"{_WEEKDAY}{_NAME}\s+{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}",
    "%m/%d/%y": f"{_MONTH}/{_DAY}/{_SHORT_YEAR}",
    "%d/%m/%y": f"{_DAY}/{_MONTH}/{_SHORT_YEAR}",
    "%d.%m.%y": rf"{_DAY}\.{_MONTH}\.{_SHORT_YEAR}",
    "%d-%b-%y": f"{_DAY}[- ]{_NAME}[- ]{_SHORT_YEAR}",
}
_UNIX = (
    r"[A-Za-z]{3}\s+(?P<name>[A-Za-z]{3})\s+(?P<d>\d{1,2})\s+(?P<h>\d{1,2}):(?P<mi>\d{2}):(?P<s>\d{2})"
    r"(?:\s+(?P<zone>Z|UTC|GMT|[+-]\d{4}))?\s+(?P<y>\d{4})(?P<f>)(?P<half>)"
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip


def written_forms() -> list[tuple[str, Callable[[str], float]]]:
    """Name and reader of each order: text -> seconds since the epoch, of any year; raises ValueError.

    Times without a zone are taken as UTC.
    """
    orders = {name: pattern + _TIME for name, pattern in _ORDERS.items()}
    orders["%a %b %d %H:%M:%S %Y"] = _UNIX
    return [("ISO 8601", iso), *((name, _reader(pattern)) for name, pattern in orders.items())]


def iso(text: str) -> float:
    """Raises ValueError, also for a plain number: that is an epoch or a compact date."""
    text = text.strip().removesuffix(" UTC").removesuffix(" Z")
    if text.isdigit():
        raise ValueError("a plain number")
    return stamp(datetime.fromisoformat(text))


def stamp(when: datetime) -> float:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _reader(pattern: str) -> Callable[[str], float]:
    whole = re.compile(rf"\s*{pattern}\s*")

    def read(text: str) -> float:
        match = whole.fullmatch(text)
        if not match:
            raise ValueError("another form of date")
        part = match.groupdict()
        month = int(part["m"]) if part.get("m") else _month(part["name"])
        hour = int(part["h"] or 0)
        if part["half"]:
            if not 1 <= hour <= 12:
                raise ValueError("no hour of a twelve-hour clock")
            hour = hour % 12 + (12 if part["half"] in "Pp" else 0)
        when = datetime(
            _year(part["y"]), month, int(part["d"]), hour, int(part["mi"] or 0),
            int(part["s"] or 0), int((part["f"] or "0").ljust(6, "0")[:6]), _zone(part["zone"]),
        )  # fmt: skip
        return when.timestamp()

    return read


def _year(text: str) -> int:
    """Two figures: 1969 to 2068, as POSIX has it."""
    year = int(text)
    return year if len(text) == 4 else year + (1900 if year >= 69 else 2000)


def _month(name: str) -> int:
    word = name.casefold()
    found = [k for k, month in enumerate(_MONTHS, 1) if month.startswith(word[:3]) and len(word) > 2]
    if not found or not (_MONTHS[found[0] - 1].startswith(word) or word == "sept"):
        raise ValueError("no month")
    return found[0]


def _zone(text: str | None) -> timezone:
    if not text or text in ("Z", "UTC", "GMT"):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))
