"""Packed rows on their way from the store to the wire and back, and what a read looked like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sandbox.base.errors import SandboxError
from sandbox.base.features import VIEWS, FeatureView, Rows, Status, view_named

T = TypeVar("T")

MAX_ITEMS = 1000  # rows of one GetItems
MAX_VIEWS = 8  # views of one GetUser
LOGGED_COLUMNS = 64  # of a row: the 200 ids of user_seen would be half of the table
LOGGED_ROWS = 16  # item rows of a sampled request that are logged, evenly spread over the read


class Packed(Protocol):
    """The wire's PackedRows, as far as `rows_of` reads it."""

    view: str
    n_columns: int
    values: bytes
    event_ts: bytes
    status: bytes
    writer_run: bytes


class ReadFigures(NamedTuple):
    """What one read of a view found. Ages in world seconds, None where no row was found."""

    n: int
    missing: int
    expired: int
    age_p50_s: float | None
    age_max_s: float | None


def views_with(max_age_s: dict[str, float]) -> dict[str, FeatureView]:
    """The views by name, each with its maximum age or the one given here instead.

    Raises STORE-002 for an unknown view, CFG-001 for an age that is not above 0.
    """
    for name, age in max_age_s.items():
        view_named(name)
        if not age > 0:
            raise SandboxError(
                "CFG-001",
                where=f"features.max_age_s[{name}]",
                seen=age,
                expected="above 0, world seconds",
                fix="give an age in seconds, or leave the view out",
            )
    return {name: replace(view, max_age_s=max_age_s.get(name, view.max_age_s)) for name, view in VIEWS.items()}


def asked_views(names: Iterable[str], entity: str, views: dict[str, FeatureView]) -> list[FeatureView]:
    """The views asked for. Raises STORE-002 for one that does not exist or holds another entity."""
    found = []
    for name in names:
        view = views.get(name)
        if view is None or view.entity != entity:
            there = sorted(v.name for v in views.values() if v.entity == entity)
            raise SandboxError(
                "STORE-002",
                where=f"features, views of {entity}s",
                seen=name,
                expected=f"one of {there}",
                fix="name a view of that entity",
            )
        found.append(view)
    return found


def asked_items(packed: bytes) -> NDArray[np.int64]:
    """int64 [n], n <= MAX_ITEMS. Raises WIRE-001 when the bytes are no int64 array, WIRE-002 when
    there are too many or an id is negative."""
    if len(packed) % 8:
        raise SandboxError(
            "WIRE-001",
            where="GetItems.item_ids",
            seen=f"{len(packed)} bytes",
            expected="8 bytes an id",
            fix="pack the ids as little-endian int64",
        )
    ids = np.frombuffer(packed, "<i8")
    if len(ids) > MAX_ITEMS or (len(ids) and ids.min() < 0):
        raise SandboxError(
            "WIRE-002",
            where="GetItems.item_ids",
            seen=f"{len(ids)} ids, least {ids.min()}",
            expected=f"at most {MAX_ITEMS} ids, none negative",
            fix="ask in several calls",
        )
    return ids


def batches(keys: Sequence[T], most: int) -> list[Sequence[T]]:
    """The keys in pieces of at most `most`, each one round trip to the store; in one for 0."""
    step = most or len(keys) or 1
    return [keys[i : i + step] for i in range(0, len(keys), step)]


def figures(rows: Rows, now: float) -> ReadFigures:
    """now: world seconds. The median is the upper one of the two in the middle."""
    n = len(rows.status)
    if n == 1:  # a user's row: numpy would cost ten times as much
        status, age = int(rows.status[0]), now - float(rows.event_ts[0])
        known = None if status == Status.MISSING else age
        return ReadFigures(1, int(status == Status.MISSING), int(status == Status.EXPIRED), known, known)
    ages = now - rows.event_ts
    missing = int(np.count_nonzero(rows.status == Status.MISSING))
    expired = int(np.count_nonzero(rows.status == Status.EXPIRED))
    if missing == n:
        return ReadFigures(n, missing, expired, None, None)
    found = np.sort(ages)[: n - missing]  # NaN sorts to the end
    return ReadFigures(n, missing, expired, float(found[len(found) // 2]), float(found[-1]))


def rows_of(packed: Packed) -> Rows:
    """What a reader of the wire gets. Raises STORE-002 for an unknown view, STORE-003 when sizes disagree."""
    view = view_named(packed.view)
    status = np.frombuffer(packed.status, np.uint8)
    n, width = len(status), len(view.columns)
    sizes = (len(packed.values), len(packed.event_ts), len(packed.writer_run), packed.n_columns)
    if sizes != (4 * n * width, 8 * n, 8 * n, width):
        raise SandboxError(
            "STORE-003",
            where=f"rows of {packed.view}",
            seen=str(sizes),
            expected=f"{n} rows of {width} columns",
            fix="run one release of the features service and its callers",
        )
    return Rows(
        np.frombuffer(packed.values, "<f4").reshape(n, width),
        np.frombuffer(packed.event_ts, "<f8"),
        status,
        np.frombuffer(packed.writer_run, "<u8"),
    )
