"""Feature views: their columns, their maximum age, and the packed row in which they are stored and sent.

A row is a 24-byte header (magic, view version, column count, event time, writer run) and float32
columns, all little-endian: one blob per entity and view, so that 200 items cost one round trip and
age, missing rows and version skew can be seen by whoever reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np

from sandbox.base.errors import SandboxError

N_TOPICS = 24  # topic slots of every world; imported worlds leave the last ones empty
N_RECENT = 20  # recent clicked items kept in `user_session`, newest first, -1 where none
N_SEEN = 200  # shown items kept in `user_seen`, newest first, -1 where none
DIM = 64  # width of two-tower embeddings
LONG_DWELL_S = 30.0  # a dwell from here on counts as long
RATE_SMOOTHING = 20.0  # tries that the overall rate is worth beside an entity's own
TOPIC_SMOOTHING = 2.0  # clicks of no topic added to everybody's, so that few clicks say little
SEGMENTS = ("light", "regular", "heavy")  # of users, by impressions of the last 28 days
_SEGMENT_FROM = np.log1p([60.0, 240.0])  # impressions_28d_log at which regular and heavy begin

_HEADER = struct.Struct("<HHIdQ")
_HEADER_DTYPE = np.dtype([("magic", "<u2"), ("version", "<u2"), ("n", "<u4"), ("event_ts", "<f8"), ("run", "<u8")])
_MAGIC = 0x5346


class Status(IntEnum):
    """What a served row is worth. The numbers are the wire's FeatureStatus."""

    PRESENT = 1
    MISSING = 2  # no row in the store
    EXPIRED = 3  # older than the view's max age: values come back as defaults


@dataclass(frozen=True)
class FeatureView:
    """Named, versioned features of one entity, computed together.

    max_age_s: world seconds after which the server answers EXPIRED. stream: written by the stream
    processor within seconds, else by a batch job. default: value of every column when not PRESENT.
    """

    name: str
    entity: str  # "user" | "item"
    columns: tuple[str, ...]
    max_age_s: float
    stream: bool
    version: int = 1
    default: float = 0.0

    @property
    def row_bytes(self) -> int:
        return _HEADER.size + 4 * len(self.columns)

    @property
    def default_row(self) -> np.ndarray:
        """float32 [columns]: what a reader gets when the row is not PRESENT. Ids default to -1, none."""
        return _layout(self)[1].copy()


@lru_cache(maxsize=64)
def _layout(view: FeatureView) -> tuple[np.dtype[np.void], np.ndarray]:
    """The dtype of a packed row, and the default row: made once, reads ask for them all the time."""
    width = len(view.columns)
    row = np.full(width, view.default, np.float32)
    row[[column.startswith("recent_") for column in view.columns]] = -1.0
    return np.dtype([("h", _HEADER_DTYPE), ("v", "<f4", (width,))]), row


_TOPICS = tuple(f"topic_{i:02d}" for i in range(N_TOPICS))

USER_PROFILE = FeatureView(
    "user_profile",
    "user",
    (
        "impressions_28d_log", "clicks_28d_log", "ctr_28d", "long_dwell_rate_28d",
        "conversion_rate_28d", "days_since_last", "tenure_days_log", "age_band_ord",
        "gender_f", "gender_m", "region_id", "language_id", *_TOPICS,
    ),
    max_age_s=3 * 86_400,
    stream=False,
)  # fmt: skip
USER_SESSION = FeatureView(
    "user_session",
    "user",
    (
        "impressions_session_log",
        "clicks_session_log",
        "last_click_ts_h",
        *(f"recent_{i:02d}" for i in range(N_RECENT)),
        *_TOPICS,
    ),
    max_age_s=6 * 3_600,
    stream=True,
)
USER_SEEN = FeatureView(
    "user_seen", "user", tuple(f"seen_{i:03d}" for i in range(N_SEEN)), max_age_s=7 * 86_400, stream=True, default=-1.0
)
ITEM_STATS = FeatureView(
    "item_stats",
    "item",
    (
        "impressions_log", "clicks_log", "ctr_28d", "ctr_24h", "long_dwell_rate", "like_rate",
        "hide_rate", "conversion_rate", "dwell_mean_log", "age_h_log", "duration_log", "price_log",
        "creator_followers_log", "creator_ctr", "maturity_ord", "sens_score",
    ),
    max_age_s=3 * 86_400,
    stream=False,
)  # fmt: skip
VIEWS = {view.name: view for view in (USER_PROFILE, USER_SESSION, USER_SEEN, ITEM_STATS)}


def segment_codes(impressions_28d_log: np.ndarray | float) -> np.ndarray:
    """Codes of SEGMENTS, in the shape of the argument (the column of `user_profile`)."""
    return np.searchsorted(_SEGMENT_FROM, impressions_28d_log, side="right")


def view_named(name: str) -> FeatureView:
    """The view of that name. Raises STORE-002."""
    if name not in VIEWS:
        raise SandboxError(
            "STORE-002",
            where="feature view",
            seen=name,
            expected=f"one of {sorted(VIEWS)}",
            fix="name a view that exists",
        )
    return VIEWS[name]


def key(view: FeatureView, entity_id: int) -> str:
    """The store's key for one row. All rows of a user carry one hash tag, so that a store which is spread over
    nodes keeps them on one; items carry none, so that they are spread."""
    return f"f:{view.name}:{{{entity_id}}}" if view.entity == "user" else f"f:{view.name}:{entity_id}"


def pack(view: FeatureView, values: np.ndarray, event_ts: float, run: int) -> bytes:
    """One row. values: float [n columns]; event_ts: world seconds since the epoch; run: who wrote it."""
    assert len(values) == len(view.columns), "a row has one value per column of its view"
    header = _HEADER.pack(_MAGIC, view.version, len(view.columns), event_ts, run)
    return header + np.asarray(values, dtype="<f4").tobytes()


def pack_many(view: FeatureView, values: np.ndarray, event_ts: np.ndarray, run: int) -> list[bytes]:
    """Rows for a whole table. values: float [n, columns]; event_ts: float64 [n] or a scalar."""
    n = len(values)
    rows = np.zeros(n, dtype=[("h", _HEADER_DTYPE), ("v", "<f4", (len(view.columns),))])
    rows["h"]["magic"], rows["h"]["version"], rows["h"]["n"] = (_MAGIC, view.version, len(view.columns))
    rows["h"]["event_ts"], rows["h"]["run"], rows["v"] = event_ts, run, values
    whole, size = rows.tobytes(), view.row_bytes
    return [whole[i * size : (i + 1) * size] for i in range(n)]


_PRESENT = int(Status.PRESENT)  # comparing with a plain number is the faster one
_STATUS_OF = np.array([Status.MISSING, Status.PRESENT, Status.EXPIRED], np.uint8)


@dataclass
class Rows:
    """Decoded rows of one view, in the order asked for.

    values: float32 [n, columns], the view's default row where status is not PRESENT.
    event_ts: float64 [n], world seconds, NaN where MISSING. status: uint8 [n], a `Status`.
    run: uint64 [n], writer run, 0 where MISSING.
    """

    values: np.ndarray
    event_ts: np.ndarray
    status: np.ndarray
    run: np.ndarray


def unpack_many(view: FeatureView, blobs: list[bytes | None], now: float) -> Rows:
    """Decode what the store gave, enforcing the view's max age against `now` (world seconds).

    A blob of another size, magic or version counts as MISSING, as does a row holding NaN or infinity:
    one bad writer must not take the reader down.
    """
    n, size = len(blobs), view.row_bytes
    layout, default = _layout(view)
    if None not in blobs and set(map(len, blobs)) == {size}:  # type: ignore[arg-type]
        present, whole = np.ones(n, bool), b"".join(blobs)  # type: ignore[arg-type]
    else:
        present = np.fromiter((b is not None and len(b) == size for b in blobs), bool, n)
        empty = bytes(size)
        whole = b"".join(b if ok else empty for b, ok in zip(blobs, present, strict=True))  # type: ignore[misc]
    rows = np.frombuffer(whole, dtype=layout)
    values = rows["v"].copy()
    head = rows["h"]
    present &= (head["magic"] == _MAGIC) & (head["version"] == view.version)
    present &= np.isfinite(values).all(axis=1)
    event_ts = np.where(present, head["event_ts"], np.nan)
    expired = present & (now - head["event_ts"] > view.max_age_s)
    status = _STATUS_OF[present.astype(np.int8) + expired]
    values[status != _PRESENT] = default
    return Rows(values, event_ts, status, np.where(present, head["run"], 0))
