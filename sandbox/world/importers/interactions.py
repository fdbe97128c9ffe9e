"""The log of anybody's file: which columns say who, what, when and how much, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.world.importers.roles import Uses, column, like, required
from sandbox.world.importers.rows import Collected, Columns, Table, collect, log_of, skip_where, timed
from sandbox.world.importers.shown import CLICK, ITEM, MIND, Listed, holds_lists
from sandbox.world.importers.source import Ids, Log, Skips
from sandbox.world.importers.tidy import refuse_mostly_bad
from sandbox.world.importers.times import Times, ambiguity, read_column

_READS_WELL = 0.95  # share of a column that a form reads, among columns that are compared
_MOST_UNLABELLED = 0.2  # share of the rows without a readable label, above which it is no label
_SUSPECT_ZEROS = 0.2  # share of the values that are 0, above which 0 may stand for "not rated"


@dataclass(frozen=True)
class Options:
    """What the person who imports says of a file.

    keep_null_words: "NULL", "nan" and the like are keys as any other. zero: "rating", "none" (no value)
    or "" to tell by the others. ignore: columns that are not to be used, whatever they are called.
    """

    keep_null_words: bool = False
    zero: str = ""
    ignore: tuple[str, ...] = ()


@dataclass
class Found:
    """A log read, its rows as they came. user, item: the columns of `table` with the keys."""

    log: Log
    table: Table
    user: int
    item: int
    has_negatives: bool
    rows: int
    skipped: Skips = field(default_factory=Skips)
    notes: list[str] = field(default_factory=list)


def read_log(
    table: Table, mapping: Mapping[str, str], uses: Uses, users: Ids, items: Ids, options: Options,
    *, closed_users: bool, closed_items: bool, others: Sequence[int] = (),
) -> Found:  # fmt: skip
    """Read a log; what becomes of each column goes into `uses`. Raises WORLD-002."""
    for name in options.ignore:
        if name not in table.names:
            raise SandboxError(
                "CFG-004",
                where="--ignore",
                seen=name,
                expected=f"one of {list(table.names)[:30]}",
                fix="name a column of the log as its header has it",
            )
    ignored, skipped = frozenset(options.ignore), Skips()
    for name in ignored:
        uses.leave(table.names.index(name), "--ignore")
    if table.names == MIND:
        uses.leave(MIND.index("history"), "clicked before the log began, without times")
    table, columns = _columns(table, mapping, uses, ignored)
    columns.others = list(others)
    rows = collect(
        table, columns, users, items, skipped, closed_users=closed_users,
        closed_items=closed_items, keep_null_words=options.keep_null_words,
    )  # fmt: skip
    total = len(rows.user) + sum(skipped.values())
    refuse_mostly_bad(table.path.name, len(rows.user), skipped, table.width)
    notes: list[str] = []
    index, times = _finest(table, rows, columns, "time" in mapping, uses)
    where = f"{table.path.name}, column {table.names[index]!r}"
    notes += [note for note in [ambiguity(times, where)] if note]
    if times.unit == 86_400.0:
        notes.append(f"{where}: dates without a time of day; hours of the day are not the log's")
    ts = timed(table, rows, times, index, skipped)
    rows.times.clear()
    ts = ts[_valued(table, rows, columns.value, "value" in mapping, uses, notes, skipped, options)]
    listed = isinstance(table, Listed)
    stay, negatives = _labelled(table, rows, columns.click, listed or "click" in mapping, uses, skipped)
    return Found(log_of(rows, ts[stay]), table, columns.user, columns.item, negatives, total, skipped, notes)


def _columns(table: Table, mapping: Mapping[str, str], uses: Uses, ignored: frozenset[str]) -> tuple[Table, Columns]:
    """The columns of the roles; where a column holds lists of what was shown, the table of their
    entries."""
    user = required(table, "user", mapping, ignored)
    shown = _list_column(table, mapping, ignored)
    if shown is None:
        item = required(table, "item", mapping, ignored)
        click = _first(table, "click", mapping, ignored)
    else:
        uses.take(shown, "shown", "lists of items that were shown, with 1 for clicked and 0 for not")
        table = Listed(table, shown)
        item, click = table.names.index(ITEM), table.names.index(CLICK)
    time = required(table, "time", mapping, ignored)
    value = _first(table, "value", mapping, ignored)
    uses.take(user, "user")
    if shown is None:
        uses.take(item, "item")
    for role, taken in (("user", user), ("item", item), ("value", value), ("click", click)):
        for index in like(table, role, ignored):
            if index != taken and taken is not None and index < len(uses.table.names):
                uses.leave(index, f"looks like the {role}, which is {table.names[taken]!r}")
    rivals = [] if "time" in mapping else like(table, "time", ignored)
    return table, Columns(user, item, time, value, click, [k for k in rivals if k != time])


def _list_column(table: Table, mapping: Mapping[str, str], ignored: frozenset[str]) -> int | None:
    if "shown" in mapping:
        return column(table, mapping["shown"], "shown")
    if "item" in mapping:
        index = column(table, mapping["item"], "item")
        return index if "click" not in mapping and holds_lists(table, index) else None
    return next((k for k in like(table, "shown", ignored) if holds_lists(table, k)), None)


def _first(table: Table, role: str, mapping: Mapping[str, str], ignored: frozenset[str]) -> int | None:
    if role in mapping:
        return column(table, mapping[role], role)
    return next(iter(like(table, role, ignored)), None)


def _finest(table: Table, rows: Collected, columns: Columns, mapped: bool, uses: Uses) -> tuple[int, Times]:
    """Of the columns that read well the one with the finest times; of those alike the most usual."""
    read: dict[int, Times] = {}
    refused: SandboxError | None = None
    for index in (columns.time, *columns.other_times):
        where = f"{table.path}, column {table.names[index]!r}"
        try:
            read[index] = read_column(rows.times[index], where)
        except SandboxError as error:
            refused = refused or error
            uses.leave(index, "looks like the time, but cannot be read as one")
    if not read:
        assert refused is not None, "a log has a time column"
        raise refused
    share = {index: float((~np.isnan(times.ts)).mean()) for index, times in read.items()}
    well = [index for index in read if share[index] >= _READS_WELL * max(share.values())]
    chosen = min(well, key=lambda index: read[index].unit)
    name, form = table.names[chosen], read[chosen].form.name
    uses.take(chosen, "time", form if mapped or len(read) == 1 else f"{form}; the finest of the times")
    for index in read:
        if index != chosen:
            why = "coarser" if read[index].unit > read[chosen].unit else "no finer"
            why = why if index in well else "reads less well"
            uses.leave(index, f"looks like the time, but {why} than {name!r}; --map time= to use it")
    return chosen, read[chosen]


def _valued(
    table: Table, rows: Collected, index: int | None, mapped: bool, uses: Uses, notes: list[str],
    skipped: Skips, options: Options,
) -> np.ndarray:  # fmt: skip
    """The rows that stay: those whose value is a number or missing."""
    everything = np.ones(len(rows.user), dtype=bool)
    if index is None:
        return everything
    name, bad = table.names[index], np.isinf(rows.value)
    numbers = ~bad & ~np.isnan(rows.value)
    if not mapped and bad.sum() > numbers.sum():
        uses.leave(index, "looks like the value, but holds no numbers")
        rows.value = np.full(len(rows.value), np.nan, np.float32)
        return everything
    blank = int(np.isnan(rows.value).sum())
    uses.take(index, "value", f"{blank} rows without one" if blank else "")
    stay = skip_where(table, rows, bad, "unreadable value", skipped)
    zeros = rows.value == 0
    others = rows.value[(rows.value != 0) & ~np.isnan(rows.value)]
    if zeros.any() and len(others):
        share = zeros.sum() / (zeros.sum() + len(others))
        no_rating = options.zero == "none" or (not options.zero and bool(others.min() >= 1) and share > _SUSPECT_ZEROS)
        if no_rating:
            rows.value = np.where(zeros, np.nan, rows.value).astype(np.float32)
        said = "taken as no rating" if no_rating else "taken as a rating of 0"
        other = "if it is a rating: --zero rating" if no_rating else "if it is none: --zero none"
        notes.append(f"{table.path.name}, column {name!r}: 0 in {zeros.sum()} rows, {said}; {other}")
    return stay


def _labelled(
    table: Table, rows: Collected, index: int | None, certain: bool, uses: Uses, skipped: Skips
) -> tuple[np.ndarray, bool]:
    """The rows that stay, and whether some of them were shown and not clicked."""
    everything = np.ones(len(rows.user), dtype=bool)
    if index is None:
        return everything, False
    own = index < len(uses.table.names)
    bad = rows.click == 2
    if not certain and bad.mean() > _MOST_UNLABELLED:
        uses.leave(index, f"looks like the click, but {bad.sum()} rows are neither 0 nor 1; --map click=")
        rows.click = np.ones(len(rows.click), np.int8)
        return everything, False
    if not certain and not bad.any() and rows.click.all():
        uses.leave(index, "looks like the click, but is 1 in every row: each row is a click anyhow")
        return everything, False
    if own:
        uses.take(
            index,
            "click",
            f"{int((rows.click == 0).sum())} rows shown and not clicked, {int((rows.click == 1).sum())} clicked",
        )
    stay = skip_where(table, rows, bad, "click neither 0 nor 1", skipped)
    return stay, bool((rows.click == 0).any())
