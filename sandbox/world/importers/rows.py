"""From a recognised table to entities and a log: the part that all readers share."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from sandbox.world.importers.missing import is_missing, stated
from sandbox.world.importers.roles import column
from sandbox.world.importers.source import Entities, Ids, Log, Skips
from sandbox.world.importers.tidy import refuse_mostly_bad
from sandbox.world.importers.times import TimeForm, Times, ambiguity, read_column, recognise

__all__ = ["Columns", "Table", "column", "decimal", "read_choices", "read_entities", "time_form"]
_TIME_SAMPLE = 400
_CACHE = 200_000  # different texts of a column whose meaning is kept
UNREADABLE = float("inf")  # among values: a text that is no number
_YES = {"1", "1.0", "true", "t", "yes", "y"}
_NO = {"0", "0.0", "false", "f", "no", "n", "-1", "-1.0"}


class Table(Protocol):
    """What every reader of a file gives, whatever its form."""

    @property
    def path(self) -> Path: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def width(self) -> int: ...
    def line(self, number: int) -> str: ...
    def rows(self, skipped: Skips) -> Iterator[tuple[int, list[str]]]: ...


@dataclass
class Columns:
    """Which column of a log is which: indices of its fields. value, click: None where there is none.

    other_times: more columns that may hold the time. others: columns by which repeats are told, too.
    """

    user: int
    item: int
    time: int
    value: int | None = None
    click: int | None = None
    other_times: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)


@dataclass
class Collected:
    """Rows whose keys are known, as they came. times: texts per candidate column. value: float32,
    NaN where there is none, UNREADABLE where it is no number. click: int8, 2 where it is neither."""

    user: np.ndarray
    item: np.ndarray
    line: np.ndarray
    times: dict[int, list[str]]
    value: np.ndarray
    click: np.ndarray
    extra: np.ndarray

    @classmethod
    def of(
        cls, user: array[int], item: array[int], line: array[int], times: dict[int, list[str]],
        value: array[float], click: array[int], extra: array[int],
    ) -> Collected:  # fmt: skip
        """Of growing columns; those of what the file has not are empty."""
        n = len(user)
        return cls(
            np.array(user, np.int64),
            np.array(item, np.int64),
            np.array(line, np.int64),
            times,
            np.array(value, np.float32) if value else np.full(n, np.nan, np.float32),
            np.array(click, np.int8) if click else np.ones(n, np.int8),
            np.array(extra, np.int64) if extra else np.zeros(n, np.int64),
        )

    def keep(self, mask: np.ndarray) -> None:
        """Drop the other rows, the texts of times excepted."""
        for name in ("user", "item", "line", "value", "click", "extra"):
            setattr(self, name, getattr(self, name)[mask])


def time_form(table: Table, index: int) -> tuple[TimeForm, str]:
    """The form of a time column, from its first rows, and a note where it is ambiguous."""
    sample = [row[index] for _, row in islice(table.rows(Skips()), _TIME_SAMPLE)]
    return recognise(sample, f"{table.path}, column {table.names[index]!r}")


def read_entities(
    table: Table, key: int, attributes: Mapping[str, int], skipped: Skips, what: str, *, keep_null_words: bool = False
) -> tuple[Ids, Entities]:
    """One entity per row; a key met again is counted and the first row stands."""
    ids, entities = Ids(), Entities()
    columns: dict[str, list[str]] = {name: [] for name in attributes}
    for line, row in table.rows(skipped):
        name = row[key].strip()
        if name in ids.of:
            skipped.row(f"{what} listed twice", table.line(line))
        elif not name or (not keep_null_words and is_missing(name)):
            skipped.row(f"{what} without a key", table.line(line))
        else:
            ids.add(name)
            for attribute, index in attributes.items():
                columns[attribute].append(stated(row[index]))
    entities.key, entities.attributes = ids.keys, columns
    return ids, entities


def collect(
    table: Table, columns: Columns, users: Ids, items: Ids, skipped: Skips,
    *, closed_users: bool, closed_items: bool, keep_null_words: bool = False,
) -> Collected:  # fmt: skip
    """Every row whose user and item are known; the others are counted.

    closed_users, closed_items: keys not yet in the ids are unknown entities, skipped and counted;
    otherwise they get the next id.
    """
    user, item, lines = array("q"), array("q"), array("q")
    value, click, extra = array("f"), array("b"), array("q")
    time_columns = [columns.time, *columns.other_times]
    texts: list[list[str]] = [[] for _ in time_columns]
    more = list(zip(time_columns, texts, strict=True))[1:]
    first_time, first_texts = columns.time, texts[0]
    user_of, item_of, worth_of = users.of, items.of, dict[str, float]()
    click_of, codes = dict[str, int](), dict[tuple[str, ...], int]()
    at_user, at_item, at_value, at_click = columns.user, columns.item, columns.value, columns.click

    def unknown(key: str, what: str, closed: bool) -> str:
        if not key or (not keep_null_words and is_missing(key)):
            return f"missing {what}"
        return f"{what} not in the {what} file" if closed else ""

    for line, row in table.rows(skipped):
        who, what = row[at_user].strip(), row[at_item].strip()
        reason = ""
        if who not in user_of:
            reason = unknown(who, "user", closed_users)
        if what not in item_of and (not reason or reason.startswith("user")):
            reason = unknown(what, "item", closed_items) or reason
        if reason:
            skipped.row(reason, table.line(line))
            continue
        user.append(user_of.setdefault(who, len(user_of)))
        item.append(item_of.setdefault(what, len(item_of)))
        lines.append(line)
        first_texts.append(row[first_time])
        for index, column_texts in more:
            column_texts.append(row[index])
        if at_value is not None:
            text = row[at_value]
            worth = worth_of.get(text)
            if worth is None:
                worth = _worth(text)
                if len(worth_of) < _CACHE:
                    worth_of[text] = worth
            value.append(worth)
        if at_click is not None:
            text = row[at_click]
            if text not in click_of:
                click_of[text] = clicked(text)
            click.append(click_of[text])
        if columns.others:
            extra.append(codes.setdefault(tuple(row[k] for k in columns.others), len(codes)))
    return Collected.of(user, item, lines, dict(zip(time_columns, texts, strict=True)), value, click, extra)


def skip_where(table: Table, rows: Collected, bad: np.ndarray, reason: str, skipped: Skips) -> np.ndarray:
    """Count the rows of a mask, drop them, and return the mask of those that stay."""
    if bad.any():
        skipped.rows(reason, int(bad.sum()), table.line(int(rows.line[int(np.flatnonzero(bad)[0])])))
        rows.keep(~bad)
    return ~bad


def timed(table: Table, rows: Collected, times: Times, index: int, skipped: Skips) -> np.ndarray:
    """float64 [n], the times of the rows that have one; the others are counted and dropped."""
    lost = np.isnan(times.ts)
    if not lost.any():
        return times.ts
    texts = rows.times[index]
    blank = np.zeros(len(lost), dtype=bool)
    blank[[k for k in np.flatnonzero(lost).tolist() if is_missing(texts[k])]] = True
    stay = skip_where(table, rows, blank, "missing time", skipped)
    stay[stay] = skip_where(table, rows, (lost & ~blank)[stay], "unreadable time", skipped)
    return np.asarray(times.ts[stay])


def log_of(rows: Collected, ts: np.ndarray) -> Log:
    n = len(ts)
    return Log(
        rows.user, rows.item, ts, rows.value, rows.click == 1, np.zeros(n, np.int16),
        np.full(n, np.nan, np.float32), rows.extra,
    )  # fmt: skip


def read_choices(
    table: Table, columns: Columns, users: Ids, items: Ids, skipped: Skips, *, closed_users: bool, closed_items: bool
) -> tuple[Log, list[str]]:
    """The log of a publisher's table that holds what users chose, unsorted, and notes."""
    rows = collect(table, columns, users, items, skipped, closed_users=closed_users, closed_items=closed_items)
    refuse_mostly_bad(table.path.name, len(rows.user), skipped, table.width)
    where = f"{table.path}, column {table.names[columns.time]!r}"
    times = read_column(rows.times[columns.time], where)
    ts = timed(table, rows, times, columns.time, skipped)
    stay = skip_where(table, rows, np.isinf(rows.value), "unreadable value", skipped)
    note = ambiguity(times, where)
    return log_of(rows, ts[stay]), [note] if note else []


def clicked(text: str) -> int:
    """1 for yes, 0 for no, 2 for neither."""
    word = text.strip().casefold()
    return 1 if word in _YES else 0 if word in _NO else 2


def decimal(text: str) -> float:
    """A finite number, with a decimal point or comma; NaN where it is none."""
    text = text.strip()
    try:
        number = float(text if "." in text else text.replace(",", "."))
    except ValueError:
        return float("nan")
    return number if abs(number) < 1e30 else float("nan")


def _worth(text: str) -> float:
    """A value: NaN where there is none, UNREADABLE where it is no number."""
    if is_missing(text):
        return float("nan")
    number = decimal(text)
    return UNREADABLE if np.isnan(number) else number
