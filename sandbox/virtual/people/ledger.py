"""What really came of every request and every visit: the truth from which harm is computed.

The world writes it beside the telemetry, so nothing that a fault does to logs can change it, and nothing
in the serving path or the lake can read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sandbox.base.clock import DAY_S

LOST_AFTER_S = 7 * DAY_S  # world seconds: who is not expected back within a week counts as lost
SATISFIED_FROM = 0.5  # satisfaction at a visit's end, 0..1: the level at which users return as usual


@dataclass(frozen=True)
class Requests:
    """One entry per answered request, all arrays [n], in the order of `ts`.

    ts: float64, world seconds of the arrival. user, session: int64. depth: int32, from 1. region: int8,
    code of catalogue.REGIONS. segment: int8, index of SEGMENTS, -1 where unknown. latency_ms: float64.
    degraded: bool. n_items, clicks, conversions, breaches, shown_b: int32 (conversions: that follow from this
    request's clicks within the conversion window; breaches: items shown against policy; shown_b: items by
    creators of group B). revenue: float64, of those conversions. in_slice: bool, whether its user belongs to
    the slice that the run keeps an eye on; shown_slice: int32, items of it that were shown.
    """

    ts: np.ndarray
    user: np.ndarray
    session: np.ndarray
    depth: np.ndarray
    region: np.ndarray
    segment: np.ndarray
    latency_ms: np.ndarray
    degraded: np.ndarray
    n_items: np.ndarray
    clicks: np.ndarray
    conversions: np.ndarray
    revenue: np.ndarray
    breaches: np.ndarray
    shown_b: np.ndarray
    in_slice: np.ndarray
    shown_slice: np.ndarray


@dataclass(frozen=True)
class Visits:
    """One entry per visit that ended, arrays [m], in the order of `ts`.

    ts: float64, world seconds of its last answer. user, session: int64. satisfaction: float64, 0..1.
    lost: float64, 0..1: probability that the user does not come back within LOST_AFTER_S.
    """

    ts: np.ndarray
    user: np.ndarray
    session: np.ndarray
    satisfaction: np.ndarray
    lost: np.ndarray


_REQUEST_TYPES: dict[str, type[np.generic]] = {
    "ts": np.float64, "user": np.int64, "session": np.int64, "depth": np.int32, "region": np.int8,
    "segment": np.int8, "latency_ms": np.float64, "degraded": np.bool_, "n_items": np.int32,
    "clicks": np.int32, "conversions": np.int32, "revenue": np.float64, "breaches": np.int32,
    "shown_b": np.int32, "in_slice": np.bool_, "shown_slice": np.int32,
}  # fmt: skip
_VISIT_TYPES: dict[str, type[np.generic]] = {
    "ts": np.float64,
    "user": np.int64,
    "session": np.int64,
    "satisfaction": np.float64,
    "lost": np.float64,
}


@dataclass(frozen=True)
class Ledger:
    """Everything that one run came to. began_ts: world seconds since the epoch at its beginning."""

    began_ts: float
    requests: Requests
    visits: Visits

    def between(self, start_ts: float, end_ts: float) -> Ledger:
        """Requests that arrived and visits that ended in [start_ts, end_ts)."""
        inside = (self.requests.ts >= start_ts) & (self.requests.ts < end_ts)
        ended = (self.visits.ts >= start_ts) & (self.visits.ts < end_ts)
        return Ledger(self.began_ts, _taken(self.requests, inside), _taken(self.visits, ended))

    def save(self, path: Any, *, world: str = "") -> None:
        """As one compressed npz file. world: whose people these are, for who looks for them (sandbox.privacy.stores)."""
        arrays = {f"requests.{f.name}": getattr(self.requests, f.name) for f in fields(Requests)}
        arrays |= {f"visits.{f.name}": getattr(self.visits, f.name) for f in fields(Visits)}
        np.savez_compressed(path, world=np.array(world), began_ts=np.array(self.began_ts), **arrays)

    @classmethod
    def load(cls, path: Any) -> Ledger:
        """What `save` wrote. Raises OSError, ValueError or KeyError for anything else."""
        with np.load(path, allow_pickle=False) as a:
            return cls(
                float(a["began_ts"]),
                Requests(**{f.name: a[f"requests.{f.name}"] for f in fields(Requests)}),
                Visits(**{f.name: a[f"visits.{f.name}"] for f in fields(Visits)}),
            )


class LedgerBook:
    """A ledger being written: rows in batches, in any order."""

    def __init__(self, began_ts: float) -> None:
        self.began_ts = began_ts
        self._requests: list[dict[str, Sequence[Any] | np.ndarray]] = []
        self._visits: list[dict[str, Sequence[Any] | np.ndarray]] = []

    def add_requests(self, **columns: Sequence[Any] | np.ndarray) -> None:
        """Columns of `Requests`, of one length; without those of a slice everybody is in it."""
        whole = {"in_slice": np.ones(len(columns["ts"]), bool), "shown_slice": columns["n_items"]}
        self._requests.append({**whole, **columns})

    def add_visits(self, **columns: Sequence[Any] | np.ndarray) -> None:
        """Columns of `Visits`, all of them, of one length."""
        self._visits.append(columns)

    def closed(self) -> Ledger:
        """The ledger as it stands, in the order of time (ties: user)."""
        return Ledger(
            self.began_ts,
            Requests(**_columns(self._requests, _REQUEST_TYPES)),
            Visits(**_columns(self._visits, _VISIT_TYPES)),
        )


def _columns(
    parts: list[dict[str, Sequence[Any] | np.ndarray]], types: dict[str, type[np.generic]]
) -> dict[str, np.ndarray]:
    whole = {
        name: np.concatenate([np.zeros(0, t), *(np.asarray(part[name], t) for part in parts)])
        for name, t in types.items()
    }
    order = np.lexsort((whole["user"], whole["ts"]))
    return {name: values[order] for name, values in whole.items()}


def _taken(columns: Any, inside: np.ndarray) -> Any:
    return type(columns)(**{f.name: getattr(columns, f.name)[inside] for f in fields(columns)})
