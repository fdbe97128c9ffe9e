"""What the gateway decides by itself: who asks, how the time is split, and what is served when a
stage does not answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

MAX_K = 100  # items of one slate
STAGES = ("features", "retrieval", "ranking", "rules")
_MAX_TEXT = 40  # characters of surface and client
# Share of the time left that a stage may use up: what comes after it must still be able to run.
_SHARE = {"features": 0.35, "retrieval": 0.55, "ranking": 0.75, "rules": 0.9}
ANSWER_SHARE = 0.1  # of the whole budget, kept back for the answer itself
_SAFE_SENS_SCORE = 0.5  # classifier scores from here on stay out of a slate that no rule has seen


class RequestLike(Protocol):
    """The wire's RecommendRequest."""

    user_id: int
    k: int
    session_id: str
    depth: int
    surface: str
    client: str
    attempt: int
    explain: bool


@dataclass(frozen=True)
class Asked:
    """A request whose every field is in range. session: None where the client named no visit."""

    user: int
    k: int
    session: int | None
    depth: int
    attempt: int
    surface: str
    client: str
    explain: bool


def check_request(request: RequestLike, n_users: int) -> Asked:
    """Raises WIRE-002 for a field out of range and WIRE-003 for a user whom the world does not have."""
    if not 1 <= request.k <= MAX_K:
        raise _refused("k", request.k, f"1 to {MAX_K}")
    if not 0 <= request.user_id < n_users:
        raise SandboxError(
            "WIRE-003",
            where="Recommend.user_id",
            seen=request.user_id,
            expected=f"0 to {n_users - 1}",
            fix="name a user that the world has: sandbox world list",
        )
    session: int | None = None
    text = request.session_id
    if text:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
            raise _refused("session_id", text[:_MAX_TEXT], "a decimal number below 2^63, or nothing")
        session = int(text)
    for name in ("surface", "client"):
        if len(getattr(request, name)) > _MAX_TEXT:
            raise _refused(name, getattr(request, name)[:80], f"at most {_MAX_TEXT} characters")
    return Asked(
        request.user_id, request.k, session, request.depth or 1, request.attempt or 1,
        request.surface or "home", request.client or "app", request.explain,
    )  # fmt: skip


def request_id(seed: int, *place: int | str) -> str:
    """32 hex digits. place: user, visit, depth and attempt where there is a visit; else what is unique."""
    text = "/".join(str(part) for part in (seed, *place))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def visit_of(request: str) -> int:
    """The number of a visit that consists of one request. request: its id."""
    return int(request[:15], 16)


def stage_share(stage: str) -> float:
    """0..1: share of the time left that a stage may use before its fallback answers."""
    return _SHARE[stage]


def by_score(scores: Floats) -> Ints:
    """int64 [n]: rows, best first; ties keep the order of retrieval. NaN and infinity come last."""
    finite = np.where(np.isfinite(scores), scores, -np.inf)
    order: Ints = np.argsort(-finite, kind="stable")
    return order


def source_names(names: list[str]) -> list[tuple[str, ...]]:
    """For each of the 2^n bit masks the sources in it. names: source of bit 0, 1, ..., at most 8."""
    return [tuple(name for bit, name in enumerate(names) if mask >> bit & 1) for mask in range(1 << len(names))]


def safe_items(items: Ints, catalogue: Catalogue, *, user: int, region: int, now: float, k: int) -> Ints:
    """The first k of `items` that may be shown to anybody: for all ages, with no sensitivity label and
    a low classifier score, with rights in the region, published, by no creator whom the user blocked.

    items: int64 [n], best first, known to the catalogue. Returns int64 [<= k], none twice.
    """
    shown = items[np.sort(np.unique(items, return_index=True)[1])]
    allowed = (catalogue.item_maturity[shown] == 0) & (catalogue.item_sensitivity[shown] == 0)
    allowed &= catalogue.item_sens_score[shown] < _SAFE_SENS_SCORE
    allowed &= (catalogue.item_regions[shown] >> np.uint16(region) & 1) == 1
    allowed &= catalogue.item_published_ts[shown] <= now
    allowed &= ~np.isin(catalogue.item_creator[shown], catalogue.blocked(user))
    safe: Ints = shown[allowed][:k]
    return safe


def popular_items(stored: NDArray[np.int64] | None, catalogue: Catalogue) -> list[Ints]:
    """For each region of the world the items to fall back on, best first.

    stored: int64 [regions, n], -1 where there is none, as the `popular` artefact has them; None or
    too few rows: the newest items, which need no artefact.
    """
    n_regions = int(catalogue.user_region.max(initial=0)) + 1
    if stored is None or len(stored) < n_regions:
        newest = np.argsort(-catalogue.item_published_ts, kind="stable").astype(np.int64)
        return [newest[:1000]] * n_regions
    known = (stored >= 0) & (stored < catalogue.n_items)
    return [row[ok].astype(np.int64) for row, ok in zip(stored, known, strict=True)]


def _refused(name: str, seen: object, expected: str) -> SandboxError:
    return SandboxError("WIRE-002", where=f"Recommend.{name}", seen=seen, expected=expected, fix="correct that field")
