"""What the stages hand on to each other, unpacked from the wire, with the stand-in for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sandbox.base.features import N_RECENT, SEGMENTS, USER_PROFILE, USER_SEEN, USER_SESSION, Rows, Status, segment_codes
from services.features.core import rows_of
from services.gateway.core import Floats, Ints, by_score, source_names

VIEWS = (USER_PROFILE.name, USER_SESSION.name, USER_SEEN.name)
_RECENT_FROM = USER_SESSION.columns.index("recent_00")
_DEFAULT_PROFILE = USER_PROFILE.default_row
_DEFAULT_SESSION = USER_SESSION.default_row
_NO_IDS = np.zeros(0, np.int64)


@dataclass(slots=True)
class UserRows:
    """profile: float32 [columns of user_profile]; session: of user_session. recent: int64 [<= N_RECENT],
    clicks newest first; seen: int64 [<= N_SEEN]. Ages in world seconds, None where there is no row. read: one
    row each of VIEWS, where they were kept."""

    profile: Floats
    session: Floats
    recent: Ints
    seen: Ints
    segment: str = "new"
    profile_age_s: float | None = None
    session_age_s: float | None = None
    read: tuple[Rows, Rows, Rows] | None = None

    @classmethod
    def unknown(cls) -> UserRows:
        """Of a user about whom nothing is known, or may be."""
        return cls(_DEFAULT_PROFILE, _DEFAULT_SESSION, _NO_IDS, _NO_IDS)

    @classmethod
    def of(cls, answer: Any, now: float) -> UserRows:
        """From a GetUserResponse for VIEWS. now: world seconds. Raises STORE-002, STORE-003."""
        profile, session, seen = (rows_of(packed) for packed in answer.rows)
        return cls.of_rows(profile, session, seen, now)

    @classmethod
    def of_rows(cls, profile: Rows, session: Rows, seen: Rows, now: float) -> UserRows:
        """From one row each of VIEWS. now: world seconds."""
        made = cls.of_values(
            profile.values[0],
            session.values[0],
            seen.values[0],
            bool(profile.status[0] == Status.PRESENT),
            _age(profile.event_ts[0], now),
            _age(session.event_ts[0], now),
        )
        made.read = (profile, session, seen)
        return made

    @classmethod
    def of_values(
        cls, profile: Floats, session: Floats, seen: Floats, is_known: bool,
        profile_age_s: float | None, session_age_s: float | None,
    ) -> UserRows:  # fmt: skip
        """From the values of one row each of VIEWS. is_known: the profile is not the default row."""
        recent = session[_RECENT_FROM : _RECENT_FROM + N_RECENT].astype(np.int64)
        shown = seen.astype(np.int64)
        return cls(
            profile, session, recent[recent >= 0], shown[shown >= 0],
            SEGMENTS[int(segment_codes(profile[0]))] if is_known else "new", profile_age_s, session_age_s,
        )  # fmt: skip


@dataclass(slots=True)
class Candidates:
    """ids: int64 [n], scores: float32 [n] of the merge, masks: bytes [n], names: sources by mask."""

    ids: Ints
    scores: Floats
    masks: bytes
    names: list[tuple[str, ...]]
    encoder_version: str = ""
    index_version: str = ""
    failed: bool = False  # a source could not answer

    @classmethod
    def of(cls, answer: Any) -> Candidates:
        return cls(
            np.frombuffer(answer.item_ids, "<i8"), np.frombuffer(answer.scores, "<f4"), answer.sources,
            _names(tuple(count.source for count in answer.counts)),
            answer.encoder_version, answer.index_version, any(c.failed for c in answer.counts),
        )  # fmt: skip

    @classmethod
    def popular(cls, ids: Ints) -> Candidates:
        """The cached popular items, where retrieval does not answer."""
        scores = np.linspace(1.0, 0.0, len(ids), endpoint=False, dtype=np.float32)
        return cls(ids, scores, b"\x01" * len(ids), _names(("popular",)))


@dataclass(slots=True)
class Ranked:
    """order: int64 [n], candidate rows, best first. scores: float32 [n] and p_click: float32 [n] by
    candidate row. model_version: empty where no model scored. probabilities: float32 [n, 3], None where the
    stage was not reached."""

    order: Ints
    scores: Floats
    p_click: Floats
    model_version: str = ""
    missing_share: float | None = None
    fell_back: bool = False
    probabilities: Floats | None = None

    @classmethod
    def of(cls, answer: Any) -> Ranked:
        scores = np.frombuffer(answer.scores, "<f4")
        p = np.frombuffer(answer.probabilities, "<f4").reshape(-1, 3)
        return cls(
            by_score(scores), scores, p[:, 0], answer.model_version, answer.missing_share, bool(answer.fallbacks), p
        )

    @classmethod
    def as_retrieved(cls, candidates: Candidates) -> Ranked:
        """The order of retrieval, where ranking does not answer."""
        n = len(candidates.ids)
        return cls(np.arange(n), candidates.scores, np.zeros(n, np.float32), fell_back=True)


def dropped_by(rows: Iterable[int], rules: Iterable[str]) -> dict[int, str]:
    """First rule that dropped a row."""
    dropped: dict[int, str] = {}
    for row, rule in zip(rows, rules, strict=False):
        dropped.setdefault(row, rule)
    return dropped


@lru_cache(maxsize=32)
def _names(sources: tuple[str, ...]) -> list[tuple[str, ...]]:
    return source_names(list(sources[:8]))


def _age(event_ts: float, now: float) -> float | None:
    return None if np.isnan(event_ts) else float(now - event_ts)
