"""Anybody's log: a delimited file of interactions, with optional files of items and users."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.world.importers.rows import Columns, column, read_choices, read_entities
from sandbox.world.importers.source import (
    ITEM_ATTRIBUTES,
    USER_ATTRIBUTES,
    Entities,
    Ids,
    Skips,
    Source,
    refuse,
    tidy,
)  # fmt: skip
from sandbox.world.importers.text import TextTable, digest_of, open_table

LIKE_QUANTILE = 0.6  # values from this quantile up count as likes
ROLES = ("user", "item", "time", "value")
# What columns are usually called; compared without case, punctuation and type suffixes.
_USUAL = {
    "user": "userid user uid customerid customer visitorid visitor memberid accountid profileid",
    "item": "itemid item iid productid product sku articleid movieid videoid trackid songid bookid isbn "
    "contentid listingid newsid docid",
    "time": "timestamp time ts datetime date eventtime eventtimestamp createdat unixtime unixreviewtime "
    "clickedat viewedat ratedat reviewtime",
    "value": "value rating score stars overall weight preference",
    "title": "title name itemname productname headline label",
    "topics": "topics topic category categories categoryid genre genres tags tag department section",
    "creator": "creator creatorid author authorid artist brand channel publisher seller studio director",
    "language": "language lang locale originallanguage",
    "published": "published publishedat publishdate releasedate releaseyear year uploaddt uploaddate "
    "created createdat publicationdate",
    "duration_s": "durations duration durationsec durationseconds lengths length seconds",
    "price": "price cost amount",
    "min_age": "minage agerating maturity agelimit",
    "age": "age ageband agegroup birthyear yearofbirth",
    "gender": "gender sex",
    "region": "region country countrycode state market",
    "created": "created createdat registered registeredat signupdate joined joindate",
}


def read(
    interactions: Path, items: Path | None = None, users: Path | None = None,
    mapping: Mapping[str, str] | None = None, kind: str = "csv",
) -> Source:  # fmt: skip
    """mapping: role or attribute -> column name, or column number from 1 for a file without header.

    What is not mapped is recognised by usual names, where there is one. Attributes of items and users
    may also stand in the log itself. With an item or user file, keys that it lacks are skipped.

    Raises CFG-004 for an unknown role, WORLD-002 for a file that cannot be used.
    """
    mapping = dict(mapping or {})
    _check_roles(mapping)
    skipped = Skips()
    # Column names are free: the log's header is what tells whether they are names or numbers.
    wanted = [mapping[role] for role in ROLES if role in mapping]
    log_table = open_table(interactions, header=_has_header(interactions, wanted), wanted=wanted)
    user_ids, people = _entities(users, "user", USER_ATTRIBUTES, mapping, skipped)
    item_ids, things = _entities(items, "item", ITEM_ATTRIBUTES, mapping, skipped)
    columns = Columns(*(_required(log_table, role, mapping) for role in ("user", "item", "time")))
    columns.value = _optional(log_table, "value", mapping)
    log, notes = read_choices(
        log_table, columns, user_ids, item_ids, skipped,
        closed_users=users is not None, closed_items=items is not None,
    )  # fmt: skip
    if items is None:
        things = _within_log(log_table, columns.item, item_ids, ITEM_ATTRIBUTES, mapping)
    if users is None:
        people = _within_log(log_table, columns.user, user_ids, USER_ATTRIBUTES, mapping)
    files = [path for path in (interactions, items, users) if path is not None]
    source = Source(
        kind, things, people, log, skipped=skipped, notes=notes, digest=digest_of(*files)
    )
    source = tidy(source)
    source.like_from = like_threshold(source.log.value)
    return source


def like_threshold(value: np.ndarray) -> float:
    """The value from which an interaction is a like: the top 40 %; NaN where all values are equal."""
    known = value[~np.isnan(value)]
    if len(known) == 0 or known.min() == known.max():
        return float("nan")
    threshold = float(np.quantile(known, LIKE_QUANTILE))
    # On a scale of few steps the quantile may be the lowest step, which nobody means as praise.
    return threshold if threshold > known.min() else float(known[known > known.min()].min())


def parse_map(pairs: list[str]) -> dict[str, str]:
    """["user=Customer ID", ...] as a dict. Raises CFG-004."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or not role.strip() or not name.strip():
            raise SandboxError(
                "CFG-004", where="--map", seen=pair, expected="ROLE=COLUMN, such as user=customer_id",
                fix=f"roles: {', '.join(ROLES)}; attributes: {', '.join(_attributes())}",
            )  # fmt: skip
        mapping[role.strip()] = name.strip()
    _check_roles(mapping)
    return mapping


def _attributes() -> list[str]:
    return list(dict.fromkeys((*ITEM_ATTRIBUTES, *USER_ATTRIBUTES)))


def _check_roles(mapping: Mapping[str, str]) -> None:
    known = [*ROLES, *_attributes()]
    for role in mapping:
        if role not in known:
            raise SandboxError(
                "CFG-004", where="--map", seen=role, expected=f"one of {known}",
                fix=f"write --map {known[0]}=COLUMN",
            )  # fmt: skip


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.partition(":")[0].casefold())


def _has_header(path: Path, wanted: list[str]) -> bool:
    """Columns given by number alone mean a file without header, unless a header has such names."""
    if not wanted or not all(name.isdigit() for name in wanted):
        return True
    return all(name in open_table(path, wanted=wanted).names for name in wanted)


def _optional(table: TextTable, role: str, mapping: Mapping[str, str]) -> int | None:
    if role in mapping:
        return column(table, mapping[role], role)
    names = [_plain(name) for name in table.names]
    usual = _USUAL[role].split()
    return next((names.index(word) for word in usual if word in names), None)


def _required(table: TextTable, role: str, mapping: Mapping[str, str]) -> int:
    found = _optional(table, role, mapping)
    if found is None:
        refuse(
            f"{table.path}, columns", list(table.names), f"a column that holds the {role}",
            f"say which one: --map {role}=COLUMN",
        )  # fmt: skip
    return found


def _attribute_columns(
    table: TextTable, attributes: tuple[str, ...], mapping: Mapping[str, str], taken: set[int],
    *, by_usual_name: bool,
) -> dict[str, int]:  # fmt: skip
    """Columns of the attributes that the table has; a mapped column may stand in another file."""
    found: dict[str, int] = {}
    for attribute in attributes:
        index = None
        if mapping.get(attribute) in table.names:
            index = table.names.index(mapping[attribute])
        elif attribute not in mapping and by_usual_name:
            index = _optional(table, attribute, {})
        if index is not None and index not in taken:
            found[attribute] = index
    return found


def _entities(
    path: Path | None, role: str, attributes: tuple[str, ...], mapping: Mapping[str, str],
    skipped: Skips,
) -> tuple[Ids, Entities]:  # fmt: skip
    if path is None:
        return Ids(), Entities()
    table = open_table(path, wanted=list(mapping.values()))
    named = mapping.get(role)
    key = table.names.index(named) if named in table.names else _optional(table, role, {})
    if key is None:
        key = next((i for i, name in enumerate(table.names) if _plain(name) in ("id", "key")), None)
    if key is None:
        refuse(
            f"{path}, columns", list(table.names), f"a column that holds the {role}'s key",
            f"call it as in the log ({named or role}), or {role}_id",
        )  # fmt: skip
    columns = _attribute_columns(table, attributes, mapping, {key}, by_usual_name=True)
    return read_entities(table, key, columns, skipped, role)


def _within_log(
    table: TextTable, key: int, ids: Ids, attributes: tuple[str, ...], mapping: Mapping[str, str]
) -> Entities:
    """Attributes that stand in the log, the first that each entity has. Only where mapped by name."""
    columns = _attribute_columns(table, attributes, mapping, {key}, by_usual_name=False)
    entities = Entities(ids.keys, {name: [""] * len(ids) for name in columns})
    if columns:
        for _, row in table.rows(Skips()):
            who = ids.of.get(row[key].strip())
            for name, index in columns.items():
                if who is not None and not entities.attributes[name][who]:
                    entities.attributes[name][who] = row[index].strip()
    return entities
