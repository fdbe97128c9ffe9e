"""When whose data may be processed for what: the consent ledger read as the laws in force would have it.

    allowed   user_id BIGINT, purpose VARCHAR, from_ts DOUBLE, until_ts DOUBLE   half-open, world seconds; +inf: no end

No row means no. Who is erased has none. The laws are those of the world's day, for the whole of the history: a rule
that came into force within it is taken as if it had always held.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base import tombstones
from sandbox.privacy import files, policy, rules
from sandbox.privacy.people import clock
from sandbox.privacy.tombstones import erased_users

FILE = "allowed.parquet"  # of WORLD/privacy
_INPUTS = b"inputs"  # in the file's metadata: what it was made from

# people (user_id, region, jurisdiction, age_band), ledger (user_id, purpose, state, ts, signal), policy_lines -> allowed
INTERVALS = """
CREATE OR REPLACE TEMP TABLE allowed AS
WITH told AS (
  SELECT user_id, purpose, ts, state = 'granted' AS yes FROM ledger
  UNION ALL  -- a universal signal, whatever it came with, is a no to what the law lays it to
  SELECT l.user_id, p.purpose, l.ts, false FROM ledger AS l JOIN people AS u USING (user_id)
  JOIN policy_lines AS p ON p.jurisdiction = u.jurisdiction AND p.age_band = u.age_band AND list_contains(p.signals, l.signal)
), changes AS (  -- of two at one time the no counts
  SELECT user_id, purpose, ts, bool_and(yes) AS yes FROM told GROUP BY ALL
), spans AS (
  SELECT user_id, purpose, yes, ts AS from_ts,
         coalesce(lead(ts) OVER (PARTITION BY user_id, purpose ORDER BY ts), 'infinity'::DOUBLE) AS until_ts FROM changes
), firsts AS (SELECT user_id, purpose, min(ts) AS ts FROM changes GROUP BY ALL), bases AS (
  SELECT u.user_id, p.purpose, p.basis FROM people AS u
  JOIN policy_lines AS p ON p.jurisdiction = u.jurisdiction AND p.age_band = u.age_band
)
SELECT user_id, purpose, from_ts, until_ts FROM spans JOIN bases USING (user_id, purpose)
 WHERE yes AND basis <> 'never'
UNION ALL  -- opt-out: from the beginning until the first thing that was said
SELECT user_id, purpose, '-infinity'::DOUBLE, coalesce(ts, 'infinity'::DOUBLE)
  FROM bases LEFT JOIN firsts USING (user_id, purpose) WHERE basis = 'opt-out'
"""


def allowed(world: Path, as_of: float | None = None) -> pa.Table:
    """The table of a world, ordered. world: its directory. as_of: only what had been said by then, and the law of that
    day; None for the end of its history, and then kept in WORLD/privacy/allowed.parquet. Raises PRIV-001, PRIV-003."""
    made_from = "\n".join(f"{name} {digest}" for name, digest in sorted(inputs(world).items())).encode()
    path = tombstones.folder(world) / FILE
    if as_of is None and path.exists() and (pq.read_schema(path).metadata or {}).get(_INPUTS) == made_from:
        return pq.read_table(path)
    with connect() as connection:
        load_world(connection, world, as_of)
        prepare(connection, rules.day_of(clock(world) if as_of is None else as_of))
        table = connection.sql("SELECT * FROM allowed ORDER BY user_id, purpose, from_ts").to_arrow_table()
    if as_of is None:
        path.parent.mkdir(exist_ok=True)
        with files.replacing(path) as part:
            pq.write_table(table.replace_schema_metadata({_INPUTS: made_from}), part, compression="zstd")
    return table


def connect(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """To nothing but what is asked for, and without a bar of its own on stderr."""
    connection = duckdb.connect(config={"threads": threads})
    connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    return connection


def inputs(world: Path) -> dict[str, str]:
    """Name -> sha256 of everything that decides who is allowed what: for the key of a stage that asks."""
    named = {
        path.name: path for path in (world / "public" / "consent_ledger.parquet", world / "public" / "users.parquet")
    }
    named |= {f"laws/{path.name}": path for path in rules.files()}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named.items()}
    return digests | {"tombstones": tombstones.load(world).digest, "clock": repr(clock(world))}


def load_world(connection: duckdb.DuckDBPyConnection, world: Path, as_of: float | None = None) -> None:
    """Tables people and ledger of a world's public files, without the erased."""
    connection.register("gone", pa.table({"user_id": erased_users(world)}))
    public, until = world / "public", "" if as_of is None else f" AND effective_ts <= {float(as_of)!r}"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE people AS SELECT user_id::BIGINT AS user_id, region, jurisdiction, age_band"
        " FROM read_parquet(?) WHERE user_id NOT IN (SELECT user_id FROM gone)", [str(public / "users.parquet")],
    )  # fmt: skip
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ledger AS SELECT user_id::BIGINT AS user_id, purpose, state, effective_ts AS ts,"
        f" jurisdiction, signal FROM read_parquet(?) WHERE user_id NOT IN (SELECT user_id FROM gone){until}",
        [str(public / "consent_ledger.parquet")],
    )  # fmt: skip


def prepare(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """Tables policy_lines and allowed, of the law of that day. Wants people and ledger."""
    lines = policy.lines(day)
    told = pa.table({
        "jurisdiction": [line.jurisdiction for line in lines], "purpose": [line.purpose for line in lines],
        "age_band": [line.age_band for line in lines], "basis": [line.basis for line in lines],
        "signals": pa.array([list(line.signals) for line in lines], pa.list_(pa.string())),
        "rule": [line.cited.rule.id if line.cited else None for line in lines],
        "law": [line.cited.law.law if line.cited else None for line in lines],
        "article": [line.cited.rule.article if line.cited else None for line in lines],
    })  # fmt: skip
    connection.register("policy_arrow", told)
    connection.execute("CREATE OR REPLACE TEMP TABLE policy_lines AS SELECT * FROM policy_arrow")
    connection.unregister("policy_arrow")
    connection.execute(INTERVALS)
