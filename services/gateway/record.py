"""One request as the lake gets to know it: filled in while it is answered, written when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.gateway.core import STAGES, Ints, RequestLike
from services.gateway.stages import Candidates, Ranked
from services.skeleton.context import Context
from services.skeleton.telemetry import Telemetry

ARM = "control"  # no experiment runs


@dataclass(slots=True)
class Record:
    """ts: world seconds at arrival. began: `time.perf_counter()` then. deadline_ms: the client's budget,
    the configured one where it gave none. fallbacks: stages that fell back, in order of the stages."""

    ts: float
    began: float
    deadline_ms: float
    region: str | None = None
    segment: str = "new"
    session: int | None = None
    depth: int = 1
    attempt: int = 1
    status: str = "OK"
    fallbacks: set[str] = field(default_factory=set)
    stage_ms: dict[str, float] = field(default_factory=dict)
    n_items: int = 0
    n_candidates: int = 0
    n_ranked: int = 0
    profile_age_s: float | None = None
    session_age_s: float | None = None
    missing_share: float | None = None
    model_version: str = ""
    encoder_version: str = ""
    index_version: str = ""
    rules_version: str = ""
    payload_bytes: int = 0

    def ordered_fallbacks(self) -> list[str]:
        return [stage for stage in STAGES if stage in self.fallbacks]

    def write(
        self, telemetry: Telemetry, request: RequestLike, context: Context, latency_ms: float
    ) -> None:
        fell = self.ordered_fallbacks()
        ms = self.stage_ms.get
        telemetry.row("requests", (
            self.ts, context.trace_id, _text(self.session), request.user_id, self.region, self.segment,
            (request.client or "app")[:40], (request.surface or "home")[:40], self.depth, self.status,
            latency_ms, self.deadline_ms, self.attempt, "+".join(fell) or "none", bool(fell),
            self.n_items, request.k, self.n_candidates, self.n_ranked,
            ms("features"), ms("retrieval"), ms("ranking"), ms("rules"),
            self.profile_age_s, self.session_age_s, self.missing_share, ARM,
            self.model_version or None, self.encoder_version or None, self.index_version or None,
            self.rules_version or None, self.payload_bytes,
        ))  # fmt: skip


def write_impressions(
    telemetry: Telemetry, ts: float, context: Context, user: int, items: Any, model_version: str
) -> None:
    """One row per item of the slate. ts: world seconds; items: the answer's SlateItems."""
    session = str(context.session)
    for item in items:
        ranked = item.model_rank > 0
        telemetry.row("impressions", (
            ts, context.trace_id, session, user, item.item_id, item.position,
            item.model_rank if ranked else None, item.score, item.p_click if ranked else None,
            "+".join(item.sources), item.propensity, item.randomised, ARM, model_version or None,
        ))  # fmt: skip


def write_explain(
    telemetry: Telemetry, ts: float, request_id: str, candidates: Candidates, ranked: Ranked,
    shown: Ints, dropped: dict[int, str],
) -> None:  # fmt: skip
    """One row per candidate of a sampled request. shown: candidate rows in display order; dropped: rule
    by row of the ranked order."""
    position = {int(row): place for place, row in enumerate(shown, 1)}
    ids, names = candidates.ids.tolist(), candidates.names
    source_scores = candidates.scores.tolist()
    for rank, row in enumerate(ranked.order.tolist(), 1):
        place = position.get(row)
        reason = None if place is not None else dropped.get(rank - 1, "slate_full")
        telemetry.row("explain", (
            ts, request_id, ids[row], "+".join(names[candidates.masks[row]]), source_scores[row],
            rank if ranked.model_version else None, float(ranked.scores[row]), place, reason,
        ))  # fmt: skip


def _text(session: int | None) -> str | None:
    return None if session is None else str(session)
