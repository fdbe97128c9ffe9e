"""Logs whose rows hold a whole list of what was shown: MIND's behaviours, "N1-1 N2-0 N3-0"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sandbox.world.importers.rows import Table
from sandbox.world.importers.source import Skips

ITEM, CLICK = "shown item", "clicked"
MIND = ("impression", "user", "time", "history", "impressions")
"""Columns of MIND's behaviors.tsv, which has no header."""
NEWS = ("news_id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities")
"""Columns of MIND's news.tsv, which has no header either."""
_LIST = re.compile(r"\S+-[01](?:\s+\S+-[01])*\s*")
_SAMPLE = 50


@dataclass(frozen=True)
class Listed:
    """A table with a row for each entry of a list: its columns, then ITEM and CLICK.

    An entry is KEY-1 for an item that was clicked and KEY-0 for one that was not.
    """

    table: Table
    column: int

    @property
    def path(self) -> Path:
        return self.table.path

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.table.names, ITEM, CLICK)

    @property
    def width(self) -> int:
        return self.table.width

    def line(self, number: int) -> str:
        return self.table.line(number)

    def rows(self, skipped: Skips) -> Iterator[tuple[int, list[str]]]:
        for line, row in self.table.rows(skipped):
            entries = row[self.column].split()
            if not entries:
                skipped.row("nothing shown", self.table.line(line))
            for entry in entries:
                item, _, label = entry.rpartition("-")
                yield line, [*row, item or entry, label if item else ""]


def holds_lists(table: Table, column: int) -> bool:
    """Whether a column's first rows are lists of labelled keys, more than one of them in some."""
    cells = [row[column] for _, row in islice(table.rows(Skips()), _SAMPLE)]
    lists = [cell for cell in cells if _LIST.fullmatch(cell)]
    return len(lists) > len(cells) / 2 and any(len(cell.split()) > 1 for cell in lists)


def is_news(names: tuple[str, ...]) -> bool:
    """Whether the first row of a file is one of MIND's news.tsv."""
    return len(names) == len(NEWS) and bool(re.fullmatch(r"N\d+", names[0]))


def is_mind(names: tuple[str, ...]) -> bool:
    """Whether the first row of a file is one of MIND's behaviors.tsv, which has no header."""
    return len(names) == len(MIND) and bool(_LIST.fullmatch(names[-1]))
