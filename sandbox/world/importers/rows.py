"""From a recognised table to entities and a log: the part that all readers share."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from sandbox.world.importers.source import Entities, Ids, Log, Skips, refuse
from sandbox.world.importers.text import TextTable
from sandbox.world.importers.times import TimeForm, recognise

_TIME_SAMPLE = 400


@dataclass
class Columns:
    """Which column of a log is which: indices of its fields. value: None where there is none."""

    user: int
    item: int
    time: int
    value: int | None = None


def column(table: TextTable, name: str, role: str) -> int:
    """Index of a named column, exact name first, then without regard to case. Raises WORLD-002."""
    if name in table.names:
        return table.names.index(name)
    folded = [other.casefold() for other in table.names]
    if name.casefold() in folded:
        return folded.index(name.casefold())
    refuse(
        f"{table.path}, columns", name, f"one of {list(table.names)}",
        f"name the column that holds the {role}: --map {role}=COLUMN",
    )  # fmt: skip


def time_form(table: TextTable, index: int) -> tuple[TimeForm, str]:
    """The form of a time column, from its first rows, and a note where it is ambiguous."""
    sample = [row[index] for _, row in islice(table.rows(Skips()), _TIME_SAMPLE)]
    return recognise(sample, f"{table.path}, column {table.names[index]!r}")


def read_entities(
    table: TextTable, key: int, attributes: Mapping[str, int], skipped: Skips, what: str
) -> tuple[Ids, Entities]:
    """One entity per row; a key met again is counted and the first row stands."""
    ids, entities = Ids(), Entities()
    columns: dict[str, list[str]] = {name: [] for name in attributes}
    for line, row in table.rows(skipped):
        name = row[key].strip()
        if not name:
            skipped.row(f"{what} without a key", table.line(line))
        elif name in ids.of:
            skipped.row(f"{what} listed twice", table.line(line))
        else:
            ids.add(name)
            for attribute, index in attributes.items():
                columns[attribute].append(row[index].strip())
    entities.key, entities.attributes = ids.keys, columns
    return ids, entities


def read_choices(
    table: TextTable, columns: Columns, users: Ids, items: Ids, skipped: Skips,
    *, closed_users: bool, closed_items: bool,
) -> tuple[Log, list[str]]:  # fmt: skip
    """The log of a table that holds what users chose, unsorted, and notes.

    closed_users, closed_items: keys not yet in the ids are unknown entities, skipped and counted;
    otherwise they get the next id.
    """
    form, note = time_form(table, columns.time)
    user, item, ts, value = array("q"), array("q"), array("d"), array("f")
    for line, row in table.rows(skipped):
        who, what = row[columns.user].strip(), row[columns.item].strip()
        reason = ""
        if not who or not what:
            reason = "missing user" if not who else "missing item"
        elif closed_items and what not in items.of:
            reason = "item not in the item file"
        elif closed_users and who not in users.of:
            reason = "user not in the user file"
        if not reason:
            when, worth = _number(form, row[columns.time]), float("nan")
            if columns.value is not None:
                worth = decimal(row[columns.value])
                reason = "unreadable value" if np.isnan(worth) else ""
            reason = "unreadable time" if when is None else reason
        if reason:
            skipped.row(reason, table.line(line))
            continue
        user.append(users.add(who))
        item.append(items.add(what))
        ts.append(when or 0.0)
        value.append(worth)
    log = Log.of_choices(
        np.array(user, np.int64), np.array(item, np.int64), np.array(ts, np.float64),
        np.array(value, np.float32),
    )  # fmt: skip
    return log, [note] if note else []


def decimal(text: str) -> float:
    """A finite number, with a decimal point or comma; NaN where it is none."""
    text = text.strip()
    try:
        number = float(text if "." in text else text.replace(",", "."))
    except ValueError:
        return float("nan")
    return number if abs(number) < 1e30 else float("nan")


def _number(form: TimeForm, text: str) -> float | None:
    try:
        return form.parse(text)
    except (ValueError, OverflowError):
        return None
