"""What is new in an overview beside the one before, so that whoever watches hears no more than that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.room.overview import Overview

# Of each list, what tells its rows apart.
KEYS: Mapping[str, tuple[str, ...]] = {
    "edges": ("caller", "callee"), "flows": ("source", "target"), "nodes": ("service",), "jobs": ("view",), "versions": ("of", "version"),
    "changes": ("world_ts", "target", "text"), "alerts": ("rule",),
}  # fmt: skip
ONES = ("store", "stream")


def delta(before: Overview, now: Overview) -> dict[str, Any] | None:
    """{world_ts, and where something is new: rows of a list that are new or other, the store, the stream, points of
    signals; gone: list -> keys of rows that are no more}. None where nothing but the time is new."""
    new: dict[str, Any] = {}
    gone: dict[str, list[list[Any]]] = {}
    for name, keys in KEYS.items():
        old, rows = _by_key(before, name, keys), _by_key(now, name, keys)
        if other := [row for key, row in rows.items() if old.get(key) != row]:
            new[name] = other
        if left := [list(key) for key in old if key not in rows]:
            gone[name] = left
    for name in ONES:
        one = getattr(now, name)
        if one != getattr(before, name):
            new[name] = None if one is None else one.model_dump()
    for name, points in now.signals.items():
        known = dict(before.signals.get(name, []))
        if later := [(ts, value) for ts, value in points if ts not in known or known[ts] != value]:
            new.setdefault("signals", {})[name] = later
    if gone:
        new["gone"] = gone
    return {"world_ts": now.world_ts, **new} if new else None


def _by_key(seen: Overview, name: str, keys: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = (row.model_dump() for row in getattr(seen, name))
    return {tuple(row[key] for key in keys): row for row in rows}
