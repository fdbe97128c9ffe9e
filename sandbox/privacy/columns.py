"""What in a file is about a person, told by the names in it and by nothing else: no list of tables to keep up.

user_id, user            a number of a user; in arrays also NAME_user_id
entity, entity_id        a row of a feature; about a person where the entity is `user`
command, key             a command that Redis was slow at; about a person where the key is one of a user's
request_id, trace_id     in a lake, of a table without a user: about whoever made that request
user_NAME [users, ...]   in arrays: a place for each user (catalogue, latent truth)
NAME_indptr [users + 1]  in arrays: where each user's entries of NAME_* begin
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.base.errors import SandboxError

USER = ("user_id", "user")
LINKS = ("request_id", "trace_id")
_TAG = re.compile(r"\{(\d+)\}")
_NO_LINKS = pa.array([], pa.string())


@dataclass(frozen=True)
class Who:
    """users: int64, ascending. n_users: of the world. requests: ids of their requests, in one lake."""

    users: np.ndarray
    n_users: int
    requests: pa.Array = field(default_factory=lambda: _NO_LINKS)


def user_column(schema: pa.Schema) -> str | None:
    """The column that holds a user's number, None where there is none."""
    return next((name for name in USER if name in schema.names), None)


def link_column(schema: pa.Schema) -> str | None:
    """The column by which a row belongs to a request."""
    return next((name for name in LINKS if name in schema.names), None)


def finder(schema: pa.Schema) -> Callable[[pa.Table, Who], pa.Array] | None:
    """Tells which rows of a table are about somebody: bool, by row, no nulls. None for a table about nobody."""
    name, names = user_column(schema), set(schema.names)
    if name is not None:
        return lambda table, who: _is_in(table[name], pa.array(who.users).cast(schema.field(name).type))
    if {"entity", "entity_id"} <= names:
        return _entities
    if {"command", "key"} <= names:
        return lambda table, who: _keys(table["key"], who)
    link = link_column(schema)
    return None if link is None else lambda table, who: _is_in(table[link], who.requests.cast(schema.field(link).type))


def _is_in(column: pa.ChunkedArray, values: pa.Array) -> pa.Array:
    return pc.fill_null(pc.is_in(column, value_set=values), False)


def _entities(table: pa.Table, who: Who) -> pa.Array:
    numbers = pa.array([str(user) for user in who.users.tolist()], table.schema.field("entity_id").type)
    of_users = pc.fill_null(pc.equal(table["entity"], "user"), False)
    return pc.and_(of_users, _is_in(table["entity_id"], numbers))


def _keys(column: pa.ChunkedArray, who: Who) -> pa.Array:
    gone = set(who.users.tolist())
    return pa.array([user_of_key(key) in gone for key in column.to_pylist()], pa.bool_())


def user_of_key(key: str | bytes | None) -> int | None:
    """Of a key of the feature store: the number in its hash tag."""
    text = key.decode(errors="replace") if isinstance(key, bytes) else key
    found = _TAG.search(text) if text else None
    return int(found.group(1)) if found else None


@dataclass(frozen=True)
class Parts:
    """What arrays of one file hold of people. ids: array of numbers -> arrays that have a row for each. places: arrays
    with a place for each user. runs: NAME_indptr -> NAME_*."""

    ids: dict[str, list[str]]
    places: list[str]
    runs: dict[str, list[str]]

    def __bool__(self) -> bool:
        return bool(self.ids or self.places or self.runs)


def parts_of(shapes: Mapping[str, tuple[int, ...]], n_users: int, where: str = "arrays") -> Parts:
    """shapes: by name of the array. Raises WORLD-003 where two arrays of numbers are as long as each other beside
    rows that could be of either."""
    ids = [name for name in shapes if name.rpartition(".")[2] in USER or name.endswith("_user_id")]
    runs = {
        name: [other for other in shapes if other.startswith(name.removesuffix("indptr")) and other != name]
        for name, shape in shapes.items()
        if name.endswith("_indptr") and shape == (n_users + 1,)
    }
    places = [
        name for name, shape in shapes.items()
        if name.startswith("user_") and name not in ids and shape[:1] == (n_users,) and not ids
    ]  # fmt: skip
    rows = [n for n, s in shapes.items() if s and n not in ids and not (n.startswith("item_") and len(s) > 1)]
    owned: dict[str, list[str]] = {name: [] for name in ids}
    for row in rows:
        group = row.rpartition(".")[0]  # a ledger's arrays: requests.NAME, visits.NAME
        owners = [name for name in ids if shapes[name][0] == shapes[row][0] and name.rpartition(".")[0] == group]
        if len(owners) > 1:  # of the stream processor's rows and the batch job's
            owners = [name for name in owners if _goes_with(row, name)]
        if len(owners) == 1:
            owned[owners[0]].append(row)
        elif len(owners) > 1:
            raise SandboxError(
                "WORLD-003", where=where, seen=f"{row} beside {', '.join(ids)}, all as long",
                expected="rows that belong to one array of users",
                fix="build the artefact anew: sandbox model build --force",
            )  # fmt: skip
    return Parts(owned, places, runs)


def _goes_with(row: str, ids: str) -> bool:
    """Of arrays of one length: NAME_user_id has those of the stream processor, which are named so or by its views."""
    streamed = row.startswith("stream_") or row in ("user_session", "user_seen")
    return streamed == ids.startswith("stream_")


def held(arrays: Mapping[str, np.ndarray], parts: Parts, users: np.ndarray) -> int:
    """Rows, places that are not blank, and entries of runs that are about these users."""
    n = sum(int(np.isin(arrays[name], users).sum()) for name in parts.ids)
    for name in parts.places:
        mine = arrays[name][users]
        n += int((mine != _blank(mine)).reshape(len(mine), -1).any(axis=1).sum())
    for name in parts.runs:
        n += int((arrays[name][users + 1] - arrays[name][users]).sum())
    return n


def without(arrays: Mapping[str, np.ndarray], parts: Parts, users: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays without these users: rows go, places are blanked (their numbers stay), entries of runs go."""
    out = dict(arrays)
    for name, rows in parts.ids.items():
        keep = ~np.isin(arrays[name], users)
        out |= {each: arrays[each][keep] for each in (name, *rows)}
    for name in parts.places:
        changed = arrays[name].copy()
        changed[users] = _blank(changed[users])
        out[name] = changed
    for name, entries in parts.runs.items():
        starts = arrays[name]
        count = np.diff(starts)
        keep = np.repeat(~np.isin(np.arange(len(count)), users), count)
        count[users] = 0
        out[name] = np.concatenate([[0], np.cumsum(count)]).astype(starts.dtype)
        out |= {each: arrays[each][keep] for each in entries}
    return out


def _blank(rows: np.ndarray) -> np.ndarray:
    """What a place holds of nobody: zeros; equal shares where rows are shares of one."""
    if rows.ndim == 2 and len(rows) and np.allclose(rows.astype(np.float64).sum(axis=1), 1.0, atol=1e-3):
        return np.full_like(rows, 1.0 / rows.shape[1])
    return np.zeros_like(rows)
