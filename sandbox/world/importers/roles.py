"""Which column of a file is what: as it was mapped, else by its usual names, and always said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sandbox.base.errors import SandboxError
from sandbox.world.importers.source import ITEM_ATTRIBUTES, NOT_MAPPED, USER_ATTRIBUTES, ColumnUse, refuse

ROLES = ("user", "item", "time", "value", "click", "shown")
# What columns are usually called; compared without case, punctuation and type suffixes.
_USUAL = {
    "user": "userid user uid customerid customer visitorid visitor memberid accountid profileid",
    "item": "itemid item iid productid product sku articleid movieid videoid trackid songid bookid isbn "
    "contentid listingid newsid docid",
    "time": "timestamp time ts datetime date eventtime eventtimestamp createdat unixtime unixreviewtime "
    "clickedat viewedat ratedat reviewtime",
    "value": "value rating score stars overall weight preference",
    "click": "isclick isclicked clicked click label",
    "shown": "impressions",
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
_UNITS = re.compile(r"(?<=.)(millis|milliseconds|seconds|secs|ms|us|ns|utc|gmt)$")
_BY_NUMBER = "in a file without a header by its number, from 1"


class Named(Protocol):
    """A file with columns."""

    @property
    def path(self) -> Path: ...
    @property
    def names(self) -> tuple[str, ...]: ...


@dataclass
class Uses:
    """What became of the columns of one file, in the file's order."""

    table: Named
    taken: dict[int, ColumnUse] = field(default_factory=dict)

    def take(self, index: int, role: str, note: str = "") -> None:
        self._set(index, role, note)

    def leave(self, index: int, why: str) -> None:
        """A column that looked like something and was not used."""
        if index not in self.taken:
            self._set(index, "", why)

    def all(self) -> list[ColumnUse]:
        """Every column, those that nothing was made of too."""
        for index in range(len(self.table.names)):
            self.leave(index, NOT_MAPPED)
        return [self.taken[index] for index in sorted(self.taken)]

    def _set(self, index: int, role: str, note: str) -> None:
        self.taken[index] = ColumnUse(self.table.path.name, self.table.names[index][:80], role, note)


def parse_map(pairs: list[str]) -> dict[str, str]:
    """["user=Customer ID", ...] as a dict. Raises CFG-004."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or not role.strip() or not name.strip():
            raise SandboxError(
                "CFG-004",
                where="--map",
                seen=pair,
                expected="ROLE=COLUMN, such as user=customer_id",
                fix=f"roles: {', '.join(ROLES)}; attributes: {', '.join(_attributes())}",
            )
        mapping[role.strip()] = name.strip()
    check_roles(mapping)
    return mapping


def check_roles(mapping: Mapping[str, str]) -> None:
    """Raises CFG-004 for a role that there is not."""
    known = [*ROLES, *_attributes()]
    for role in mapping:
        if role not in known:
            raise SandboxError(
                "CFG-004", where="--map", seen=role, expected=f"one of {known}", fix=f"write --map {known[0]}=COLUMN"
            )


def _attributes() -> list[str]:
    return list(dict.fromkeys((*ITEM_ATTRIBUTES, *USER_ATTRIBUTES)))


def column(table: Named, name: str, role: str) -> int:
    """Index of a named column, exact name first, then without regard to case. Raises WORLD-002."""
    if name in table.names:
        return table.names.index(name)
    folded = [other.casefold() for other in table.names]
    if name.casefold() in folded:
        return folded.index(name.casefold())
    refuse(
        f"{table.path}, columns",
        name,
        f"one of {list(table.names)}",
        f"name the column that holds the {role}: --map {role}=COLUMN",
    )


def like(table: Named, role: str, ignored: frozenset[str] = frozenset()) -> list[int]:
    """Columns with a usual name of the role, the most usual first."""
    names = [
        "" if name in ignored else re.sub(r"[^a-z0-9]", "", name.partition(":")[0].casefold()) for name in table.names
    ]
    usual = _USUAL[role].split()
    found = [index for word in usual for index, name in enumerate(names) if name == word]
    if role == "time":
        bare = [_UNITS.sub("", name) for name in names]
        found += [index for word in usual for index, name in enumerate(bare) if name == word]
    return list(dict.fromkeys(found))


def required(table: Named, role: str, mapping: Mapping[str, str], ignored: frozenset[str] = frozenset()) -> int:
    """The mapped column, else the first with a usual name. Raises WORLD-002 where there is none."""
    if role in mapping:
        return column(table, mapping[role], role)
    found = like(table, role, ignored)
    if not found:
        refuse(
            f"{table.path}, columns",
            list(table.names),
            f"a column that holds the {role}",
            f"say which one: --map {role}=COLUMN, {_BY_NUMBER}",
        )
    return found[0]


def key_of(table: Named, role: str, named: str | None) -> int:
    """The column of an item or user file that holds the key. Raises WORLD-002."""
    if named in table.names:
        return table.names.index(named or "")
    found = like(table, role)
    plain = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in table.names]
    found += [index for index, name in enumerate(plain) if name in ("id", "key")]
    if not found:
        refuse(
            f"{table.path}, columns",
            list(table.names),
            f"a column that holds the {role}'s key",
            f"call it as in the log ({named or role}), or {role}_id",
        )
    return found[0]


def attribute_columns(
    table: Named, attributes: tuple[str, ...], mapping: Mapping[str, str], uses: Uses, *, by_usual_name: bool
) -> dict[str, int]:
    """Columns of the attributes that the table has; a mapped column may stand in another file."""
    found: dict[str, int] = {}
    for attribute in attributes:
        columns = []
        if mapping.get(attribute) in table.names:
            columns = [table.names.index(mapping[attribute])]
        elif attribute not in mapping and by_usual_name:
            columns = like(table, attribute)
        free = [index for index in columns if index not in uses.taken or not uses.taken[index].role]
        if free:
            found[attribute] = free[0]
            uses.take(free[0], attribute)
        for index in free[1:]:
            uses.leave(index, f"looks like {attribute}, which is {table.names[found[attribute]]!r}")
    return found
