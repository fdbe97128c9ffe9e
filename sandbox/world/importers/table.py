"""Anybody's log: a file of interactions in any form, with optional files of items and users."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sandbox.world.importers.interactions import Options, read_log
from sandbox.world.importers.missing import stated
from sandbox.world.importers.records import open_records
from sandbox.world.importers.roles import ROLES, Uses, attribute_columns, check_roles, key_of, parse_map
from sandbox.world.importers.rows import Table, read_entities
from sandbox.world.importers.shown import MIND, NEWS, is_mind, is_news
from sandbox.world.importers.source import ITEM_ATTRIBUTES, USER_ATTRIBUTES, ColumnUse, Entities, Ids, Skips, Source
from sandbox.world.importers.text import TextTable, open_table
from sandbox.world.importers.tidy import tidy
from sandbox.world.importers.unpack import digest_of, kind_of

__all__ = ["Options", "like_threshold", "open_any", "parse_map", "read"]
LIKE_QUANTILE = 0.6  # values from this quantile up count as likes


def read(
    interactions: Path, items: Path | None = None, users: Path | None = None,
    mapping: Mapping[str, str] | None = None, kind: str = "csv", options: Options = Options(),
) -> Source:  # fmt: skip
    """mapping: role or attribute -> column name, or column number from 1 for a file without header.

    What is not mapped is recognised by usual names, where there is one. Attributes of items and users
    may also stand in the log itself. With an item or user file, keys that it lacks are skipped.

    Raises CFG-004 for an unknown role, WORLD-002 for a file that cannot be used.
    """
    mapping = dict(mapping or {})
    check_roles(mapping)
    table, mapping = _open_log(interactions, mapping)
    uses, mapped = Uses(table), dict(mapping)
    people = _Side.of(users, "user", USER_ATTRIBUTES, mapping, options)
    things = _Side.of(items, "item", ITEM_ATTRIBUTES, mapping, options)
    at_user = attribute_columns(table, people.left, mapped, uses, by_usual_name=False)
    at_item = attribute_columns(table, things.left, mapped, uses, by_usual_name=False)
    found = read_log(
        table, mapping, uses, people.ids, things.ids, options,
        closed_users=users is not None, closed_items=items is not None,
        others=[*at_user.values(), *at_item.values()],
    )  # fmt: skip
    source = Source(kind, things.entities, people.entities, found.log, found.has_negatives)
    source.skipped, source.notes, source.rows = found.skipped, found.notes, found.rows
    source.digest = digest_of(*(path for path in (interactions, items, users) if path is not None))
    source = tidy(source)
    if users is None:
        source.users = _met(people.ids, source, "user")
        _within_log(found.table, found.user, source.users, at_user, source.notes)
    if items is None:
        source.items = _met(things.ids, source, "item")
        _within_log(found.table, found.item, source.items, at_item, source.notes)
    source.columns = [*uses.all(), *things.columns(), *people.columns()]
    source.skipped_entities = {name: side.skipped for name, side in (("items", things), ("users", people)) if side.uses}
    source.like_from = like_threshold(source.log.value)
    if not np.isnan(source.like_from):
        source.notes.append(f"values from {source.like_from:g} up count as likes, too")
    for name, lost in (("the log", found.skipped), *((s, k) for s, k in source.skipped_entities.items())):
        if lost.foreign:
            source.notes.append(f"{lost.foreign} lines of {name} are not UTF-8: read as Windows-1252")
    return source


def open_any(path: Path, *, header: bool = True, wanted: Collection[str] = ()) -> Table:
    """A table of whatever form. wanted: as `open_table` has it. Raises WORLD-002."""
    form = kind_of(path)
    if form != "text":
        return open_records(path, form)
    return open_table(path, header=header, wanted=tuple(wanted))


def like_threshold(value: np.ndarray) -> float:
    """The value from which an interaction is a like: the top 40 %; NaN where all values are equal."""
    known = value[~np.isnan(value)]
    if len(known) == 0 or known.min() == known.max():
        return float("nan")
    threshold = float(np.quantile(known, LIKE_QUANTILE))
    # On a scale of few steps the quantile may be the lowest step, which nobody means as praise.
    return threshold if threshold > known.min() else float(known[known > known.min()].min())


def _open_log(path: Path, mapping: dict[str, str]) -> tuple[Table, dict[str, str]]:
    """The log and its mapping. Columns given by number alone mean a file without header, unless a
    header has such names."""
    wanted = [mapping[role] for role in ROLES if role in mapping]
    table = open_any(path, wanted=wanted)
    if not isinstance(table, TextTable):
        return table, mapping
    if not wanted and is_mind(table.names):
        roles = {"user": "user", "time": "time", "shown": "impressions"}
        return _named(table, MIND), mapping | roles
    if wanted and all(n.isdigit() for n in wanted) and not all(n in table.names for n in wanted):
        return open_any(path, header=False, wanted=wanted), mapping
    return table, mapping


def _named(table: TextTable, names: tuple[str, ...]) -> TextTable:
    """The table of a file that has no header and whose columns are known."""
    return replace(table, names=names, has_header=False)


@dataclass
class _Side:
    """The file of items or of users, or what stands for it where there is none.

    left: attributes that the file does not say, which the log may.
    """

    ids: Ids
    entities: Entities
    skipped: Skips
    left: tuple[str, ...]
    uses: Uses | None = None

    @classmethod
    def of(
        cls, path: Path | None, role: str, attributes: tuple[str, ...], mapping: Mapping[str, str], options: Options
    ) -> _Side:
        if path is None:
            return cls(Ids(), Entities(), Skips(), attributes)
        table = open_any(path, wanted=list(mapping.values()))
        if isinstance(table, TextTable) and is_news(table.names):
            table = _named(table, NEWS)
        uses, skipped = Uses(table), Skips()
        key = key_of(table, role, mapping.get(role))
        uses.take(key, f"{role} key")
        columns = attribute_columns(table, attributes, mapping, uses, by_usual_name=True)
        ids, entities = read_entities(table, key, columns, skipped, role, keep_null_words=options.keep_null_words)
        return cls(ids, entities, skipped, (), uses)

    def columns(self) -> list[ColumnUse]:
        return self.uses.all() if self.uses else []


def _met(ids: Ids, source: Source, role: str) -> Entities:
    """The entities that the tidied log still names, in the order of first sight; the log's ids are
    made dense."""
    place: np.ndarray = getattr(source.log, role)
    used, dense = np.unique(place, return_inverse=True)
    setattr(source.log, role, dense.astype(np.int64))
    keys = ids.keys
    return Entities([keys[k] for k in used.tolist()])


def _within_log(table: Table, key: int, entities: Entities, columns: Mapping[str, int], notes: list[str]) -> None:
    """Attributes that stand in the log, the first that each entity has; where it has more, it is said."""
    if not columns:
        return
    place = {name: row for row, name in enumerate(entities.key)}
    entities.attributes = {name: [""] * len(entities) for name in columns}
    several: dict[str, set[int]] = {name: set() for name in columns}
    for _, row in table.rows(Skips()):
        who = place.get(row[key].strip())
        if who is None:
            continue
        for name, index in columns.items():
            there, text = entities.attributes[name][who], stated(row[index])
            if not there:
                entities.attributes[name][who] = text
            elif text and text != there:
                several[name].add(who)
    notes += [
        f"{name}: {len(who)} of {len(entities)} have more than one in the log; the first stands"
        for name, who in several.items()
        if who
    ]
