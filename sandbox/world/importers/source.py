"""What every reader of a publisher's format gives: entities as text, a log as arrays, what was skipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from sandbox.base.errors import SandboxError

ITEM_ATTRIBUTES = (
    "title", "topics", "creator", "language", "published", "duration_s", "price", "min_age",
)  # fmt: skip
USER_ATTRIBUTES = ("age", "gender", "region", "language", "created")
MAX_BAD_SHARE = 0.5  # of the rows of a log; above it the file is not what it was taken for


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
    """

    user: np.ndarray
    item: np.ndarray
    ts: np.ndarray
    value: np.ndarray
    click: np.ndarray
    position: np.ndarray
    propensity: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    def rows(self, chosen: np.ndarray) -> Log:
        """The rows of a mask or of indices."""
        return Log(
            self.user[chosen], self.item[chosen], self.ts[chosen], self.value[chosen],
            self.click[chosen], self.position[chosen], self.propensity[chosen],
        )  # fmt: skip

    @classmethod
    def of_choices(
        cls, user: np.ndarray, item: np.ndarray, ts: np.ndarray, value: np.ndarray
    ) -> Log:
        """A log that holds only what users chose."""
        n = len(user)
        return cls(
            user, item, ts, value, np.ones(n, bool), np.zeros(n, np.int16),
            np.full(n, np.nan, np.float32),
        )  # fmt: skip


class Skips(Counter[str]):
    """Rows left out, by reason, with the place where each reason was first met."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, str] = {}

    def row(self, reason: str, where: str) -> None:
        self[reason] += 1
        self.first.setdefault(reason, where)


@dataclass
class Source:
    """A log read from a publisher's files, before anything is filled in.

    like_from: value from which an interaction counts as a like, NaN where values mean nothing.
    skipped: reason -> rows left out. notes: sentences for the person who imports.
    digest: hash of the bytes read. Where the log has negatives: traits int64 [users, any], codes of
    what is known of a user, each trait's codes apart from the others'; liked_before int64 [any, 2],
    pairs of user and item clicked before the log begins.
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


def tidy(source: Source) -> Source:
    """Sort the log, drop exact repeats (counted), and refuse a log from which nothing can be learned.

    Raises WORLD-002 when no row, fewer than two users or fewer than two items are left, or when
    more than MAX_BAD_SHARE of the rows were skipped.
    """
    log, skipped = source.log, source.skipped
    order = np.lexsort((log.item, log.user, log.ts))
    log = log.rows(order)
    if len(log):
        same = (np.diff(log.ts) == 0) & (np.diff(log.user) == 0) & (np.diff(log.item) == 0)
        same &= np.diff(log.position) == 0
        if same.any():
            skipped["duplicate row"] += int(same.sum())
            log = log.rows(np.concatenate([[True], ~same]))
    source.log = log
    _refuse_mostly_bad(source.kind, len(log), skipped)
    users, items = len(np.unique(log.user)), len(np.unique(log.item))
    if users < 2 or items < 2:
        refuse(
            f"{source.kind} log", f"{users} users and {items} items in {len(log)} usable rows",
            "at least 2 users and 2 items: with fewer there is no taste to learn",
            "name the file that holds the interactions, with user and item columns as they are in it",
        )  # fmt: skip
    return source


def _refuse_mostly_bad(kind: str, kept: int, skipped: Skips) -> None:
    bad = sum(count for reason, count in skipped.items() if reason != "duplicate row")
    if bad > MAX_BAD_SHARE * (kept + bad):
        worst = ", ".join(f"{reason}: {n}" for reason, n in skipped.most_common(3))
        refuse(
            skipped.first.get(skipped.most_common(1)[0][0], f"{kind} log"), f"{bad} of {kept + bad} rows cannot be used ({worst})",
            f"at most {MAX_BAD_SHARE:.0%} of the rows bad",
            "check which column is which (--map), the delimiter and the form of time",
        )  # fmt: skip
    if kept == 0:
        refuse(
            f"{kind} log", "no usable rows", "at least one interaction",
            "name the file that holds the interactions",
        )  # fmt: skip


def existing(folder: Path, names: tuple[str, ...], kind: str) -> list[Path]:
    """The named files of a folder. Raises WORLD-002 naming all that are missing."""
    if not folder.is_dir():
        refuse(
            str(folder), "no such folder" if not folder.exists() else "a file", f"the folder of {kind}",
            "give the folder that holds " + ", ".join(names),
        )  # fmt: skip
    found = [_plain_or_gzip(folder / name) for name in names]
    missing = [name for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        there = sorted(p.name for p in folder.iterdir())[:12]
        refuse(
            str(folder), f"missing {', '.join(missing)}; there: {', '.join(there) or 'nothing'}",
            f"{', '.join(names)} of {kind}", "give the folder as the publisher ships it, unpacked",
        )  # fmt: skip
    return [path for path in found if path is not None]


def _plain_or_gzip(path: Path) -> Path | None:
    return next((p for p in (path, path.with_name(path.name + ".gz")) if p.is_file()), None)
