"""A row of telemetry on its way through the seam `log`: whom it is about is what its columns name."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

from sandbox.base.catalogue import REGIONS
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from services.skeleton.seams import Call, Place, Seam, payload_of

Row = tuple[Any, ...]
_OF_REQUESTS = ("request_id", "trace_id", "event_id")


def logged(seam: Seam, service: str, table: str, row: Row) -> Row | None:
    """The row as it is written, None where it is lost. Raises SandboxError for a wrapper that failed, also by a row
    of another width."""
    place = place_of(table, row)
    call = Call(
        "log", service, table, "row", place.user, place.session, place.position, place.region, payload=row, about=place
    )
    passed: Row | None = seam.run_sync(call, payload_of)
    if passed is not None and len(passed) != len(row):
        raise SandboxError(
            "WIRE-006",
            where=f"{service}, row of {table}",
            seen=f"{len(passed)} columns",
            expected=f"{len(row)} columns",
            fix="see what is put on the seam",
        )
    return passed


def place_of(table: str, row: Row) -> Place:
    """Each row has dice of its own, by what it names: times and measures of a request's row are left out of them, so
    that they are the same in every play of the same request."""
    at, named = _columns(table)
    values = {part: row[i] for part, i in at.items()}
    user, item, region = values.get("user_id"), values.get("item_id"), values.get("region")
    return Place(
        -1 if user is None else user, zlib.crc32(str(values.get("session_id", "")).encode()),
        zlib.crc32(repr([row[i] for i in named]).encode()),
        REGIONS.index(region) if region in REGIONS else -1, -1 if item is None else item, "",
        values.get("segment") or "", values.get("surface") or "", values.get("instance") or "",
    )  # fmt: skip


@lru_cache(maxsize=64)
def _columns(table: str) -> tuple[dict[str, int], list[int]]:
    """Where the parts of a place stand, and the columns that tell a row from others."""
    names = TABLES[table].names
    parts = ("user_id", "item_id", "region", "segment", "surface", "session_id", "instance")
    of_request = any(name in names for name in _OF_REQUESTS)
    named = [
        i
        for i, column in enumerate(TABLES[table].columns)
        if not of_request or column.type not in ("TIMESTAMP", "DOUBLE")
    ]
    return {name: names.index(name) for name in parts if name in names}, named
