"""Whom something hit: columns and values of a segment, and how alike two segments are. Pure.

A segment is column -> value or values; empty means everyone. `user_bucket` holds a share of the users,
written `LOW-HIGH` with both ends in it: 0-24 are the users whose id modulo 100 is 0 to 24.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.drill.scenario import taxonomy

BUCKETS = 100
BUCKET = "user_bucket"
RIGHT_COLUMN = 0.25  # credit for the column where the value is another
_OF_ROW = {"user_lang": "lang", "personalised": "state = 'granted'"}  # where a row of its table calls it otherwise
_RANGE = re.compile(r"(\d{1,2})-(\d{1,2})")

Segment = Mapping[str, str | list[str]]


def require_known(segment: Segment) -> None:
    """Raises ValueError for a column that names no segment, no value at all, or a bucket out of range."""
    for column, values in segment.items():
        if column not in taxonomy.SEGMENT_COLUMNS:
            known = ", ".join(taxonomy.SEGMENT_COLUMNS)
            raise ValueError(f"segment: no segment is named by {column!r}, but by {known}")
        listed = values_of(values)
        if not listed or not all(listed):
            raise ValueError(f"segment: {column} has no value")
        if column == BUCKET:
            for value in listed:
                buckets(value)


def values_sql(column: str) -> str:
    """What a lake is asked for the values that a column has, as text in their order. Not of BUCKET, which has ranges."""
    of_row = _OF_ROW.get(column, column)
    return f"SELECT DISTINCT ({of_row})::VARCHAR AS v FROM {taxonomy.SEGMENT_COLUMNS[column]} WHERE v IS NOT NULL ORDER BY v"


def values_of(values: str | list[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def buckets(value: str) -> tuple[int, int]:
    """First and last bucket of `LOW-HIGH`, 0 to 99. Raises ValueError."""
    found = _RANGE.fullmatch(value.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError(f"segment: user_bucket is LOW-HIGH within 0-99, not {value!r}")
    return int(found[1]), int(found[2])


def told(segment: Segment) -> str:
    """For people: `lang=xx, region=EU`, or `everyone`."""
    parts = sorted(f"{c}={v}" for c, values in segment.items() for v in values_of(values))
    return ", ".join(parts) or "everyone"


def overlap(actual: Segment, claimed: Segment) -> float:
    """1 where both are the same, 0 where they share nothing: twice what they share over all that they name
    (Dice's coefficient); RIGHT_COLUMN where only the column is right. Everyone is like nobody else."""
    wanted, said = _members(actual), _members(claimed)
    if wanted == said:
        return 1.0
    if not wanted or not said:
        return 0.0
    share = 2 * _weight(wanted & said) / (_weight(wanted) + _weight(said))
    same_column = {c for c, _ in wanted} & {c for c, _ in said}
    return max(share, RIGHT_COLUMN if same_column else 0.0)


def _members(segment: Segment) -> frozenset[tuple[str, str]]:
    found = set()
    for column, values in segment.items():
        for value in values_of(values):
            if column == BUCKET:
                low, high = buckets(value)
                found |= {(column, str(bucket)) for bucket in range(low, high + 1)}
            else:
                found.add((column, value))
    return frozenset(found)


def _weight(members: frozenset[tuple[str, str]]) -> float:
    """A range of buckets counts like one value, by how much of it is named."""
    named = {bucket for column, bucket in members if column == BUCKET}
    return len(members) - len(named) + len(named) / BUCKETS * 4
