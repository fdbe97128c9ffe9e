"""Every breach that can be found: over a world's history and what was made of it, and over a run's lake.

A question is one SQL (`audit_sql`); what remains is to name the law. Whoever is erased is looked for in every store, by
its schema, as deletion does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from sandbox.base import artefacts, tombstones
from sandbox.base.catalogue import JURISDICTIONS
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import RunInfo
from sandbox.base.tombstones import n_users
from sandbox.privacy import files, policy
from sandbox.privacy.allowed import connect, load_world, prepare
from sandbox.privacy.audit_sql import LAKE, QUESTIONS
from sandbox.privacy.columns import USER, Who
from sandbox.privacy.models import registries
from sandbox.privacy.people import clock
from sandbox.privacy.rules import Cited, day_of
from sandbox.privacy.stores import FAILURES, Store, run_stores, stores

BREACHES = (*QUESTIONS, "erased-yet-present")
HOUSE = ("the house's own", "opt-out")  # where no law says anything
_BEFORE_PRIVACY = ("ingest", "deduplicate", "bots")  # stages whose outputs nobody's consent has been asked for yet


@dataclass(frozen=True)
class Breach:
    """rule: which of BREACHES. cites: the law's rule. people, rows: concerned. oldest_hours: longest time after the no,
    or age of what is kept. models: versions concerned. stores: where the erased were found."""

    rule: str
    law: str
    article: str
    cites: str
    people: int
    rows: int
    oldest_hours: float
    models: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {**vars(self), "models": list(self.models), "stores": list(self.stores)}


def of_world(
    world: Path, *, now: float, runs: Sequence[Path] | None = None, progress: ProgressFn = quiet
) -> list[Breach]:
    """A world's history, its registry and its pipeline; of runs whether they hold any of the erased. now: wall seconds
    since the epoch, for how long ago somebody was erased. runs: None for those of SANDBOX_HOME. Raises PRIV-001, PRIV-003, WORLD-003."""
    progress("reading the world", None)
    with connect(threads=2) as connection:
        load_world(connection, world)
        _relate(connection, "processed", _processed(world))
        _relate(connection, "served", [])
        connection.execute("CREATE TEMP TABLE asked (user_id BIGINT, region VARCHAR, ts DOUBLE)")
        public = world / "public"
        # A statement that creates takes no parameters.
        paths = [str(public / f"{name}.parquet").replace("'", "''") for name in ("impressions", "outcomes")]
        connection.execute(
            f"CREATE TEMP VIEW dated AS SELECT user_id, ts FROM read_parquet('{paths[0]}')"
            f" UNION ALL SELECT user_id, event_ts FROM read_parquet('{paths[1]}')"
        )
        found = _ask(connection, clock(world), progress)
    progress("looking for the erased", None)
    return found + _present(world, stores(world, n_users(world), runs=runs), now)


def of_run(run_dir: Path, lake: duckdb.DuckDBPyConnection, *, now: float, progress: ProgressFn = quiet) -> list[Breach]:
    """A run's lake. lake: a connection with its tables, as sandbox.telemetry.lake makes one. Raises RUN-001, and as
    `of_world`."""
    run = RunInfo.load(run_dir)
    progress("reading the lake", None)
    lake.execute(LAKE)
    ((latest,),) = lake.execute("SELECT max(ts) FROM asked").fetchall()
    clock_ts = run.world_start if latest is None else float(latest)
    found = _ask(lake, clock_ts, progress)
    world = Path(run.world_dir)
    return found + _present(world, list(run_stores(run.path, world, n_users(world))), now)


def _ask(connection: duckdb.DuckDBPyConnection, clock_ts: float, progress: ProgressFn) -> list[Breach]:
    day = day_of(clock_ts)
    prepare(connection, day)
    limits = policy.retention(day)
    connection.register("limits", pa.table({
        "jurisdiction": pa.array(list(limits), pa.string()),
        "days": pa.array([days for days, _ in limits.values()], pa.int64()),
    }))  # fmt: skip
    connection.register("region_laws", pa.table({
        "region": list(JURISDICTIONS), "jurisdiction": list(JURISDICTIONS.values()),
    }))  # fmt: skip
    found: list[Breach] = []
    for number, (name, sql) in enumerate(QUESTIONS.items()):
        progress("asking", number / len(QUESTIONS))
        parameters = {"now": clock_ts} if "$now" in sql else {}
        found += _grouped(name, connection.execute(sql, parameters).fetchall(), day)
    return found


def _grouped(name: str, answer: Sequence[tuple[Any, ...]], day: date) -> list[Breach]:
    """By the law that is broken."""
    cited = _citations(name, day)
    groups: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    for row in answer:
        jurisdiction, band, purpose = row[:3]
        rule = cited.get((jurisdiction, purpose, band))
        key = (rule.law.law, rule.rule.article, rule.rule.id) if rule else (*HOUSE, "house")
        groups.setdefault(key, []).append(row)
    return [
        Breach(
            name, law, article, cites, people=len({row[3] for row in rows}), rows=int(sum(row[4] for row in rows)),
            oldest_hours=round(max((row[5] for row in rows if row[5] is not None), default=0.0), 3),
            models=tuple(sorted({row[6] for row in rows if row[6]})),
        )
        for (law, article, cites), rows in sorted(groups.items())
    ]  # fmt: skip


def _citations(name: str, day: date) -> dict[tuple[str, str | None, str], Cited]:
    """(jurisdiction, purpose, age band) -> rule."""
    if name == "kept-too-long":
        return {(j, None, b): rule for j, (_, rule) in policy.retention(day).items() for b in policy.AGE_BANDS}
    return {(x.jurisdiction, x.purpose, x.age_band): x.cited for x in policy.lines(day) if x.cited}


def _relate(connection: duckdb.DuckDBPyConnection, name: str, parts: Sequence[pa.Table]) -> None:
    schema = pa.schema({"user_id": pa.int64(), "ts": pa.float64(), "model": pa.string()})
    connection.register("part", pa.concat_tables([schema.empty_table(), *parts]))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM part")
    connection.unregister("part")


def _processed(world: Path) -> list[pa.Table]:
    """What versions and the pipeline's outputs hold of people, and when it was made."""
    found = []
    for registry in registries(world):
        for made in artefacts.versions(registry):
            for path in sorted(made.path.glob("*.safetensors")):
                arrays = [n for n in files.shapes_of(path) if n in USER or n.endswith("_user_id")]
                if arrays:
                    held = files.arrays_of(path)
                    users = np.concatenate([held[name].astype(np.int64) for name in arrays])
                    found.append(_rows(users[users >= 0], made.manifest.created_ts, made.manifest.version))
    for stage in sorted((world / "pipeline").rglob("stage.json")):
        told = json.loads(stage.read_text())
        if told["stage"] not in _BEFORE_PRIVACY:
            for path in sorted(stage.parent.glob("*.parquet")):
                found += list(_of_stage(path, float(told.get("newest_ts") or clock(world))))
    return found


def _of_stage(path: Path, made_ts: float) -> Iterator[pa.Table]:
    users = files.column(path, "user_id")
    if users is not None:
        yield _rows(users, made_ts, None)


def _rows(users: np.ndarray, ts: float, model: str | None) -> pa.Table:
    n = len(users)
    return pa.table({
        "user_id": users.astype(np.int64), "ts": np.full(n, ts), "model": pa.array([model] * n, pa.string()),
    })  # fmt: skip


def _present(world: Path, there: Sequence[Store], now: float) -> list[Breach]:
    """The erased, where they are still found; by receipt, which knows the law."""
    stones = tombstones.load(world)
    total = n_users(world)
    gone = Who(stones.users(total), total)
    if not len(gone.users):
        return []
    places: dict[str, dict[int, int]] = {}
    for store in there:
        held = _held(store, gone)
        if held:
            places[store.name] = held
    by_receipt: dict[str, dict[int, int]] = {}
    for held in places.values():
        for user, n in held.items():
            stone = stones.of(user)
            receipt = by_receipt.setdefault(stone.receipt if stone else "", {})
            receipt[user] = receipt.get(user, 0) + n
    since = {stone.receipt: stone.erased_ts for stone in stones.stones}
    return [
        Breach(
            "erased-yet-present", *_law_of(world, receipt), people=len(held), rows=sum(held.values()),
            oldest_hours=round(max(0.0, now - since.get(receipt, now)) / 3600, 3), models=tuple(_versions(places)),
            stores=tuple(sorted(name for name, mine in places.items() if mine.keys() & held.keys())),
        )
        for receipt, held in sorted(by_receipt.items())
    ]  # fmt: skip


def _held(store: Store, who: Who) -> dict[int, int]:
    """Rows by user. Rows of a lake that name no user went with their requests. Raises WORLD-003 for a store that cannot
    be read: nobody may take it for one that holds nothing."""
    try:
        return store.by_user(who)
    except SandboxError:
        raise
    except FAILURES as error:
        raise SandboxError(
            "WORLD-003", where=store.name, seen=f"{type(error).__name__}: {error}"[:200], expected="a store that can be read",
            fix="build it anew, or take it away: the audit says nothing of what it cannot read",
        ) from error  # fmt: skip


def _law_of(world: Path, receipt: str) -> tuple[str, str, str]:
    """law, article, rule; several of each where people of several laws were erased at once."""
    path = tombstones.folder(world) / "receipts" / f"{receipt}.json"
    due = json.loads(path.read_text())["due"] if path.exists() else []
    if not due:
        return (*HOUSE, "house")
    law, article, rule = (", ".join(dict.fromkeys(each[part] for each in due)) for part in ("law", "article", "rule"))
    return law, article, rule


def _versions(places: dict[str, dict[int, int]]) -> list[str]:
    """Of stores in a registry: .../registry/ARTIFACT/VERSION/FILE."""
    return sorted({name.split("/")[-2] for name in places if "/registry" in name})
