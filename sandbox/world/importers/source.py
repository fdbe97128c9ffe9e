"""What every reader of a publisher's format gives: entities as text, a log as arrays, what was skipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NoReturn

import numpy as np

from sandbox.base.errors import SandboxError

ITEM_ATTRIBUTES = ("title", "topics", "creator", "language", "published", "duration_s", "price", "min_age")
USER_ATTRIBUTES = ("age", "gender", "region", "language", "created")


@dataclass
class Entities:
    """Items or users in the order of their dense ids.

    key: the source's own key. attributes: name in ITEM_ATTRIBUTES or USER_ATTRIBUTES -> one text
    per entity, "" where the source does not say.
    """

    key: list[str] = field(default_factory=list)
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.key)

    def text(self, attribute: str) -> list[str]:
        return self.attributes.get(attribute) or [""] * len(self.key)


@dataclass
class Log:
    """Rows in order of time, then user, then item.

    user, item: int64 [n], dense ids. ts: float64 [n], world seconds since the epoch.
    value: float32 [n], rating or the like, NaN where there is none.
    click: bool [n]; False only where the source logs what was shown and not chosen.
    position: int16 [n], from 1, 0 where unknown. propensity: float32 [n], NaN where unknown.
    extra: int64 [n], code of what else was read of a row: only rows alike in it are repeats.
    """

    user: np.ndarray
    item: np.ndarray
    ts: np.ndarray
    value: np.ndarray
    click: np.ndarray
    position: np.ndarray
    propensity: np.ndarray
    extra: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    def rows(self, chosen: np.ndarray | slice) -> Log:
        """The rows of a mask, of indices or of a slice."""
        return Log(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


NOT_MAPPED = "not mapped"  # what is said of a column that looked like nothing


@dataclass(frozen=True)
class ColumnUse:
    """What became of a column of a file. role: "" where it was not used. note: its form, or why not."""

    file: str
    column: str
    role: str = ""
    note: str = ""


class Skips(Counter[str]):
    """Rows left out, by reason, with the place where each reason was first met.

    foreign: lines that are not UTF-8, read as Windows-1252.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, str] = {}
        self.foreign = 0

    def row(self, reason: str, where: str) -> None:
        self.rows(reason, 1, where)

    def rows(self, reason: str, count: int, where: str) -> None:
        """Several at once. where: of the first."""
        self[reason] += count
        self.first.setdefault(reason, where)


@dataclass
class Source:
    """A log read from a publisher's files, before anything is filled in.

    like_from: value from which an interaction counts as a like, NaN where values mean nothing.
    skipped: reason -> rows left out. notes: sentences for the person who imports.
    digest: hash of the bytes read. rows: of the log, skipped ones among them. columns: what became of
    each column. skipped_entities: as skipped, of the file of items and of users.
    alone: each row is a request of its own; else rows of a user at one time are one.
    Where the log has negatives and names nobody: traits int64 [users, any], codes of what is known of
    a user, each trait's codes apart from the others'; liked_before int64 [any, 2], pairs of user and
    item clicked before the log begins.
    """

    kind: str
    items: Entities
    users: Entities
    log: Log
    has_negatives: bool = False
    like_from: float = float("nan")
    skipped: Skips = field(default_factory=Skips)
    notes: list[str] = field(default_factory=list)
    digest: str = ""
    rows: int = 0
    columns: list[ColumnUse] = field(default_factory=list)
    skipped_entities: dict[str, Skips] = field(default_factory=dict)
    alone: bool = False
    traits: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    liked_before: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))


class Ids:
    """Dense ids of keys, in the order of first sight."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.of)

    def add(self, key: str) -> int:
        return self.of.setdefault(key, len(self.of))

    @property
    def keys(self) -> list[str]:
        return list(self.of)


def refuse(where: str, seen: object, expected: str, fix: str) -> NoReturn:
    """Raises WORLD-002: the source file cannot be used."""
    raise SandboxError("WORLD-002", where=where, seen=seen, expected=expected, fix=fix)


def existing(folder: Path, names: tuple[str, ...], kind: str) -> list[Path]:
    """The named files of a folder. Raises WORLD-002 naming all that are missing."""
    if not folder.is_dir():
        refuse(
            str(folder),
            "no such folder" if not folder.exists() else "a file",
            f"the folder of {kind}",
            "give the folder that holds " + ", ".join(names),
        )
    found = [_plain_or_gzip(folder / name) for name in names]
    missing = [name for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        there = sorted(p.name for p in folder.iterdir())[:12]
        refuse(
            str(folder),
            f"missing {', '.join(missing)}; there: {', '.join(there) or 'nothing'}",
            f"{', '.join(names)} of {kind}",
            "give the folder as the publisher ships it, unpacked",
        )
    return [path for path in found if path is not None]


def _plain_or_gzip(path: Path) -> Path | None:
    return next((p for p in (path, path.with_name(path.name + ".gz")) if p.is_file()), None)
