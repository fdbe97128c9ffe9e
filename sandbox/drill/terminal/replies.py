"""What people type when they are asked for a part of their report, read strictly. Pure.

Each function returns the part, or raises `UnclearError` with the reason, to be asked again.
"""

from __future__ import annotations

import difflib
import math
import re
import shlex
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox.drill.play.report import SIZED, world_time
from sandbox.drill.scenario import segments, taxonomy

NOTHING = ("-", "nothing", "none")  # empties a part that has a default
GRACE_S = 3600.0  # world seconds before the drill's beginning that a guess may lie in
ValuesOf = Callable[[str], Sequence[str]]  # of a column, those that occur; empty where not known


class UnclearError(ValueError):
    """Why an answer is asked for again."""


def yes_no(text: str) -> bool:
    """What is neither is never taken as no."""
    word = text.strip().casefold()
    if word in ("y", "yes", "true", "1"):
        return True
    if word in ("n", "no", "false", "0"):
        return False
    raise UnclearError(f"{text!r} is neither yes nor no")


def word_of(text: str, known: Collection[str], what: str) -> str:
    """A word of a list, in any spelling that leaves no doubt; those that sound like it are suggested."""
    plain = {_plain(name): name for name in known}
    if _plain(text) in plain:
        return plain[_plain(text)]
    raise UnclearError(f"there is no {what} {text!r}{did_you_mean(text, known)}; `?` lists them")


def did_you_mean(text: str, known: Collection[str]) -> str:
    """`; did you mean a, b?`, empty where nothing is near."""
    wanted, plain = _plain(text), {_plain(name): name for name in known}
    near = [name for key, name in plain.items() if len(wanted) > 2 and wanted in key][:3]
    near += [plain[key] for key in difflib.get_close_matches(wanted, plain, 3, 0.5)]
    return f"; did you mean {', '.join(dict.fromkeys(near))}?" if near else ""


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "-", re.sub(r"\s*(->|→)\s*", ">", text.strip().casefold()))


def moment(text: str, began_ts: float, now_ts: float) -> str:
    """A world time of the drill as `2026-03-01 10:20:00`; the day may be left out."""
    text = text.strip().rstrip("Z").replace("T", " ")
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        ts = _on_a_day(text, began_ts, now_ts)
    else:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            raise UnclearError(
                f"{text!r} is no world time like {world_time(began_ts)} or {world_time(now_ts)[11:16]}"
            ) from None
        ts = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    if not began_ts - GRACE_S <= ts <= now_ts + 1:
        raise UnclearError(f"{world_time(ts)} is not in the drill: {world_time(began_ts)} to {world_time(now_ts)}")
    return world_time(ts)


def _on_a_day(clock: str, began_ts: float, now_ts: float) -> float:
    """The latest time of that reading which is not after now."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    if hours > 23 or minutes > 59 or any(s > 59 for s in seconds):
        raise UnclearError(f"{clock!r} is no time of day")
    day = math.floor(now_ts / 86_400) * 86_400
    ts = day + hours * 3600 + minutes * 60 + (seconds[0] if seconds else 0)
    return ts if ts <= now_ts + 1 else ts - 86_400 if ts - 86_400 >= began_ts - GRACE_S else ts


def segment(text: str, values_of: ValuesOf) -> dict[str, str | list[str]]:
    """`column=value,value column=value` by column; empty for everyone."""
    found: dict[str, list[str]] = {}
    for word in _words(text):
        column, equals, values = word.partition("=")
        if not equals:
            raise UnclearError(f"{word!r} is not column=value, like region=EU or region=EU,US")
        name = word_of(column, taxonomy.SEGMENT_COLUMNS, "column")
        there = list(values_of(name))
        for value in values.split(","):
            if value.strip():
                found.setdefault(name, []).append(_value(name, value.strip(), there))
        if not found.get(name):
            raise UnclearError(f"{column}= needs a value{_some(there)}")
    unique = {name: list(dict.fromkeys(values)) for name, values in found.items()}
    return {name: values[0] if len(values) == 1 else values for name, values in unique.items()}


def _value(column: str, value: str, there: list[str]) -> str:
    if column == segments.BUCKET:
        try:
            segments.buckets(value)
        except ValueError as error:
            raise UnclearError(str(error).removeprefix("segment: ")) from None
    if not there or value in there:
        return value
    folded = {known.casefold(): known for known in there}
    if value.casefold() in folded:
        return folded[value.casefold()]
    raise UnclearError(f"no {column} is {value!r}{did_you_mean(value, there)}{_some(there)}")


def _some(values: list[str]) -> str:
    more = ", ..." if len(values) > 12 else ""
    return f"; there is {', '.join(values[:12])}{more}" if values else ""


def sizes(text: str) -> dict[str, Any]:
    """`clicks=120 p99_ms=20..40` by metric: a number, low..high, or low..estimate..high."""
    found: dict[str, Any] = {}
    for word in _words(text.replace(",", " ")):
        metric, equals, value = word.partition("=")
        if not equals:
            raise UnclearError(f"{word!r} is not metric=number, like clicks=80..120..160")
        name = word_of(metric, SIZED, "metric")
        if name in found:
            raise UnclearError(f"{name} is given twice")
        found[name] = _size(name, value)
    return found


def _size(name: str, value: str) -> float | dict[str, float]:
    try:
        numbers = [float(part) for part in value.split("..")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(abs(n) <= 1e12 for n in numbers):
        raise UnclearError(f"{name}={value}: a number, low..high, or low..estimate..high")
    if numbers != sorted(numbers):
        raise UnclearError(f"{name}={value}: the lower number comes first")
    if len(numbers) == 1:
        return numbers[0]
    middle = numbers[1] if len(numbers) == 3 else (numbers[0] + numbers[1]) / 2
    return {"estimate": middle, "low": numbers[0], "high": numbers[-1]}


def share(text: str) -> float:
    """0..1, or in percent with its sign."""
    percent = text.strip().endswith("%")
    try:
        value = float(text.strip().rstrip("%")) / (100 if percent else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise UnclearError(f"{text!r} is no number from 0 to 1")
    return value


def numbers(text: str, most: int) -> list[int]:
    """Numbers of a list, from 1, in the order given."""
    words = text.replace(",", " ").split()
    for word in words:
        if not (word.isdecimal() and 1 <= int(word) <= most):
            raise UnclearError(f"{word!r} is no number from 1 to {most}")
    return list(dict.fromkeys(map(int, words)))


def _words(text: str) -> list[str]:
    text = re.sub(r"\s*=\s*", "=", re.sub(r"\s*,\s*", ",", text.strip()))
    try:
        return shlex.split(text)
    except ValueError:  # a quote that does not end
        return text.split()
