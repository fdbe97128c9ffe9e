"""Ingest: what the log says, in one form, with both clocks: when it happened, and when it was known."""

from __future__ import annotations

from sandbox.base.errors import SandboxError
from sandbox.pipeline.stages.relations import ORDER, counted
from sandbox.pipeline.stages.spec import SOURCE, Stage, Tally, Work

AHEAD_S = 3_600.0  # a client's clock may be so far ahead of ours
_INTEGER = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_NUMBER = (*_INTEGER, "FLOAT", "DOUBLE")
SCHEMA = {  # column -> types that mean it; no other is cast: a silent cast is how a column changes its meaning
    "impressions": {
        "ts": ("DOUBLE",), "request_id": _INTEGER, "session_id": _INTEGER, "user_id": _INTEGER, "item_id": _INTEGER,
        "position": _INTEGER, "propensity": ("FLOAT", "DOUBLE"),
    },
    "outcomes": {
        "event_ts": ("DOUBLE",), "ingest_ts": ("DOUBLE",), "request_id": _INTEGER, "session_id": _INTEGER,
        "user_id": _INTEGER, "item_id": _INTEGER, "kind": ("VARCHAR",), "value": _NUMBER,
    },
}  # fmt: skip
_SHOWN = """SELECT ts AS event_ts, {known} AS known_ts, request_id::BIGINT AS request_id, session_id::BIGINT AS session_id,
  user_id::BIGINT AS user_id, item_id::BIGINT AS item_id, position::SMALLINT AS position, propensity::FLOAT AS propensity
FROM source_impressions"""
# Where a source logged no impressions, its clicks stand for them.
_CLICKED = """SELECT event_ts, ingest_ts AS known_ts, request_id::BIGINT AS request_id, session_id::BIGINT AS session_id,
  user_id::BIGINT AS user_id, item_id::BIGINT AS item_id, 1::SMALLINT AS position, 'nan'::FLOAT AS propensity
FROM source_outcomes WHERE kind = 'click'"""
_DONE = """SELECT {event_id} AS event_id, event_ts, ingest_ts AS known_ts, request_id::BIGINT AS request_id,
  session_id::BIGINT AS session_id, user_id::BIGINT AS user_id, item_id::BIGINT AS item_id, kind, value::FLOAT AS value
FROM source_outcomes"""
# An event that is known at `as_of` or later is not known yet; so with what happened then.
_REASON = f"""CASE
  WHEN event_ts IS NULL OR NOT isfinite(event_ts) OR known_ts IS NULL OR NOT isfinite(known_ts) THEN 'unreadable_time'
  WHEN request_id IS NULL OR user_id IS NULL OR item_id IS NULL THEN 'missing_key'
  WHEN user_id < 0 OR user_id >= $n_users THEN 'unknown_user'
  WHEN item_id < 0 OR item_id >= $n_items THEN 'unknown_item'
  WHEN event_ts > known_ts + {AHEAD_S} THEN 'ahead_of_its_time'
  WHEN greatest(event_ts, known_ts) >= $as_of THEN 'not_known_yet' END"""


def run(work: Work) -> Tally:
    columns = {name: _checked(work, name) for name in SCHEMA}
    known = "ingest_ts" if "ingest_ts" in columns["impressions"] else "ts"
    event_id = "event_id" if "event_id" in columns["outcomes"] else "concat_ws('-', request_id, item_id, kind)"
    has_impressions = bool(work.one("SELECT count(*) > 0 FROM source_impressions")[0])
    shown = _SHOWN.format(known=known) if has_impressions else _CLICKED
    values = {"n_users": work.catalogue.n_users, "n_items": work.catalogue.n_items, "as_of": work.as_of}
    n_in = n_out = 0
    dropped: dict[str, int] = {}
    for name, rows in (("impressions", shown), ("outcomes", _DONE.format(event_id=event_id))):
        kept = f"SELECT * FROM ({rows}) WHERE ({_REASON}) IS NULL ORDER BY {ORDER[name]}"
        n_out += work.write(f"{name}_in", kept, **values)
        for reason, n in counted(work, f"SELECT {_REASON} AS reason FROM ({rows})", **values).items():
            n_in += n
            if reason is not None:
                dropped[reason] = dropped.get(reason, 0) + n
    newest = work.one(f"SELECT max(event_ts) FROM read_parquet('{work.file('impressions_in')}')")[0]
    return Tally(n_in, n_out, dict(sorted(dropped.items())), newest)


def _checked(work: Work, name: str) -> dict[str, str]:
    """Columns and types of a source. Raises PIPE-004 for one that lacks a column or has it in another type."""
    seen = {row[0]: row[1] for row in work.db.execute(f"DESCRIBE source_{name}").fetchall()}
    for column, types in SCHEMA[name].items():
        if seen.get(column) not in types:
            raise SandboxError(
                "PIPE-004",
                where=f"{work.reads[f'{SOURCE}{name}'][0]}, column {column}",
                seen=seen.get(column, "no such column"),
                expected=f"one of {', '.join(types)}",
                fix="have the source written as sandbox/base/worlds.py says; nothing is cast here",
            )
    return seen


STAGE = Stage(
    "ingest",
    (f"{SOURCE}impressions", f"{SOURCE}outcomes", f"{SOURCE}catalogue"),
    ("impressions_in", "outcomes_in"),
    ("as_of",),
    run,
    "the log in one form, with both clocks; rows without key, time or entity are left out",
)
