"""The log as training reads it: one row per shown item, with what came of it and when that was known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.worlds import WorldManifest

KINDS = ("click", "dwell", "like", "hide", "conversion")  # of what comes of an item that is shown


@dataclass(frozen=True)
class Log:
    """Rows sorted by `ts`. Where a source logged no impressions, its interactions stand for them.

    Times are world seconds since the epoch. A row is one (request, item). What happened and when it was known are
    two things: `known_ts(None)` is of the row, `known_ts(kind)` of what came of it, never before it happened. What is
    kept of them is the seconds since `ts`: six times of eight bytes would be as much as all the rest.
    """

    ts: np.ndarray  # float64 [n], shown
    request: np.ndarray  # int64 [n]
    session: np.ndarray  # int64 [n]
    user: np.ndarray  # int32 [n]
    item: np.ndarray  # int32 [n]
    position: np.ndarray  # int16 [n], from 1
    randomised: np.ndarray  # bool [n], shown by chance (logged propensity below 1)
    clicked: np.ndarray  # bool [n]
    click_ts: np.ndarray  # float64 [n], NaN where there is none; so below
    dwell_s: np.ndarray  # float32 [n]
    liked: np.ndarray  # bool [n]
    hidden: np.ndarray  # bool [n]
    converted_ts: np.ndarray  # float64 [n]
    value: np.ndarray  # float32 [n], of the click: the rating in a world of ratings, else 1
    known_s: np.ndarray  # float32 [n], see `known_after`
    click_known_s: np.ndarray  # float32 [n], NaN where there is none; so below
    dwell_known_s: np.ndarray  # float32 [n]
    like_known_s: np.ndarray  # float32 [n]
    hide_known_s: np.ndarray  # float32 [n]
    conversion_known_s: np.ndarray  # float32 [n]

    def __len__(self) -> int:
        return len(self.ts)

    def known_ts(self, kind: str | None) -> np.ndarray:
        """float64 [n]: when what came of a row was known, NaN where nothing did. kind: of KINDS; None for the row itself."""
        return self.ts + (self.known_s if kind is None else getattr(self, f"{kind}_known_s"))

    def take(self, rows: np.ndarray | slice) -> Log:
        """The rows of a mask, of sorted positions or, without a copy, of a slice."""
        if not isinstance(rows, slice) and rows.dtype == bool:
            rows = np.flatnonzero(rows)  # found once, not once for each column
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def shown_before(self, ts: float) -> Log:
        """Rows shown and known before `ts`, with all that came of them, whenever that was known. Most often no copy."""
        past = self.take(slice(0, int(np.searchsorted(self.ts, ts))))
        if (unseen := past.known_ts(None) >= ts).any():
            past = past.take(~unseen)
        return past

    def clicks_before(self, ts: float) -> Log:
        """The clicked rows of `before(ts)`, found without a copy of all the others."""
        past = self.take(self.clicked).before(ts)
        return past.take(past.clicked)

    def before(self, ts: float) -> Log:
        """What was known at `ts`: rows shown and known before it, and nothing that came of them and was known later.

        One late row is enough for a copy of the eleven columns of what came of all of them: of a long log ask `shown_before`
        or `clicks_before` where they will do.
        """
        past = self.shown_before(ts)
        click, dwell, like, hide, conversion = (np.flatnonzero(past.known_ts(kind) >= ts) for kind in KINDS)
        return replace(
            past,
            clicked=_with(past.clicked, click, False),
            click_ts=_with(past.click_ts, click, np.nan),
            click_known_s=_with(past.click_known_s, click, np.nan),
            dwell_s=_with(past.dwell_s, dwell, np.nan),
            dwell_known_s=_with(past.dwell_known_s, dwell, np.nan),
            liked=_with(past.liked, like, False),
            like_known_s=_with(past.like_known_s, like, np.nan),
            hidden=_with(past.hidden, hide, False),
            hide_known_s=_with(past.hide_known_s, hide, np.nan),
            converted_ts=_with(past.converted_ts, conversion, np.nan),
            conversion_known_s=_with(past.conversion_known_s, conversion, np.nan),
        )

    def digest(self) -> str:
        """A hash of all rows."""
        whole = hashlib.sha256()
        for f in fields(self):
            whole.update(np.ascontiguousarray(getattr(self, f.name)).tobytes())
        return whole.hexdigest()[:16]


@dataclass(frozen=True)
class Source:
    """The public part of a world, in memory."""

    world: Path
    manifest: WorldManifest
    catalogue: Catalogue
    log: Log


def read_manifest(world_dir: Path) -> WorldManifest:
    """The manifest of a world in any directory. Raises WORLD-001, WORLD-003."""
    path = world_dir / "world.json"
    if not path.exists():
        raise SandboxError(
            "WORLD-001",
            where="world",
            seen=str(world_dir),
            expected="a directory with a world.json",
            fix="build it: sandbox world build NAME",
        )
    try:
        return WorldManifest.model_validate_json(path.read_text())
    except ValueError as error:
        raise _damaged(path, str(error)[:300], "a manifest of format 1") from error


def read_source(world_dir: Path) -> Source:
    """Manifest, catalogue and log of a world. Raises WORLD-001, WORLD-003, CFG-002."""
    manifest = read_manifest(world_dir)
    catalogue = Catalogue.load(world_dir / "public" / "catalogue.npz")
    return Source(world_dir, manifest, catalogue, read_log(world_dir / "public", catalogue))


def read_log(public: Path, catalogue: Catalogue) -> Log:
    """The joined log of impressions.parquet and outcomes.parquet. Raises WORLD-003 for a file that
    cannot be read, lacks a column or names an item or user outside of the catalogue."""
    shown = _columns(
        public / "impressions.parquet",
        ("ts", "request_id", "session_id", "user_id", "item_id", "position", "propensity"),
    )
    events = _columns(
        public / "outcomes.parquet",
        ("event_ts", "ingest_ts", "request_id", "session_id", "user_id", "item_id", "kind", "value"),
    )
    events["known_ts"] = np.maximum(events["event_ts"], events["ingest_ts"])
    shown["known_ts"] = shown["ts"]  # the gateway logs what it shows as it shows it
    if len(shown["ts"]) == 0:
        shown = _as_impressions(events)
    for name, bound in (("user_id", catalogue.n_users), ("item_id", catalogue.n_items)):
        for where, table in (("impressions", shown), ("outcomes", events)):
            ids = table[name]
            if len(ids) and (ids.min() < 0 or ids.max() >= bound):
                seen = f"{name} from {ids.min()} to {ids.max()}"
                raise _damaged(public / f"{where}.parquet", seen, f"ids from 0 to {bound - 1}")
    order = np.lexsort((shown["position"], shown["request_id"], shown["ts"]))
    shown = {name: column[order] for name, column in shown.items()}
    return _joined(shown, events, catalogue.n_items)


def _joined(shown: dict[str, np.ndarray], events: dict[str, np.ndarray], n_items: int) -> Log:
    n = len(shown["ts"])
    requests, request_row = np.unique(shown["request_id"], return_inverse=True)
    keys = request_row.astype(np.int64) * n_items + shown["item_id"]
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]

    def rows_of(kind: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `shown` that had such an outcome, and its rows in `events`, earliest first."""
        mine = np.flatnonzero(events["kind"] == kind)
        mine = mine[np.argsort(events["event_ts"][mine], kind="stable")]
        request = events["request_id"][mine]
        at = np.minimum(np.searchsorted(requests, request), max(len(requests) - 1, 0))
        key = np.where(requests[at] == request, at * n_items + events["item_id"][mine], -1)
        place = np.minimum(np.searchsorted(ordered, key), n - 1)
        known = ordered[place] == key
        return order[place[known]], mine[known]

    def earliest(kind: str, column: str) -> np.ndarray:
        out = np.full(n, np.nan)
        if n:
            at, source = rows_of(kind)
            out[at[::-1]] = events[column][source[::-1]]  # the earliest is written last and stays
        return out

    ts, click_ts = shown["ts"].astype(np.float64), earliest("click", "event_ts")
    value = earliest("click", "value")
    propensity = shown["propensity"]
    return Log(
        ts=ts,
        request=shown["request_id"].astype(np.int64),
        session=shown["session_id"].astype(np.int64),
        user=shown["user_id"].astype(np.int32),
        item=shown["item_id"].astype(np.int32),
        position=shown["position"].astype(np.int16),
        randomised=np.nan_to_num(propensity, nan=1.0) < 1.0,
        clicked=~np.isnan(click_ts),
        click_ts=click_ts,
        dwell_s=earliest("dwell", "value").astype(np.float32),
        liked=~np.isnan(earliest("like", "event_ts")),
        hidden=~np.isnan(earliest("hide", "event_ts")),
        converted_ts=earliest("conversion", "event_ts"),
        value=np.nan_to_num(value, nan=0.0).astype(np.float32),
        known_s=known_after(ts, shown["known_ts"]),
        **{f"{kind}_known_s": known_after(ts, earliest(kind, "known_ts")) for kind in KINDS},
    )


def known_after(ts: np.ndarray, known_ts: np.ndarray) -> np.ndarray:
    """float32 [n]: seconds from ts until known_ts (float64, NaN where there is none), rounded up: nothing is known
    before it was."""
    lag = (known_ts - ts).astype(np.float32)
    return np.where(ts + lag < known_ts, np.nextafter(lag, np.float32(np.inf)), lag)


def _with(values: np.ndarray, rows: np.ndarray, value: float) -> np.ndarray:
    """A copy with some rows set; the array itself where there are none."""
    if len(rows) == 0:
        return values
    out = values.copy()
    out[rows] = value
    return out


def _as_impressions(events: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    clicks = events["kind"] == "click"
    n = int(clicks.sum())
    return {
        "ts": events["event_ts"][clicks],
        "known_ts": events["known_ts"][clicks],
        "position": np.ones(n, np.int16),
        "propensity": np.full(n, np.nan, np.float32),
        **{name: events[name][clicks] for name in ("request_id", "session_id", "user_id", "item_id")},
    }


def _columns(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        table = pq.read_table(path, columns=list(names))
        return {name: table.column(name).to_numpy() for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(path, str(error)[:300], f"columns {', '.join(names)}") from error


def _damaged(path: Path, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "WORLD-003",
        where=str(path),
        seen=seen,
        expected=expected,
        fix="build the world anew: sandbox world build NAME --force",
    )
