"""One request as the lake gets to know it: filled in while it is answered, written when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.base.rows import row_of
from services.gateway.consent import Decided
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
    consent: Decided | None = None

    def ordered_fallbacks(self) -> list[str]:
        return [stage for stage in STAGES if stage in self.fallbacks]

    def write(self, telemetry: Telemetry, request: RequestLike, context: Context, latency_ms: float) -> None:
        fell = self.ordered_fallbacks()
        ms, said = self.stage_ms.get, self.consent
        telemetry.row("requests", row_of.requests(
            ts=self.ts, request_id=context.trace_id, session_id=_text(self.session),
            user_id=request.user_id, region=self.region, segment=self.segment,
            client=(request.client or "app")[:40], surface=(request.surface or "home")[:40],
            depth=self.depth, grpc_status=self.status, latency_ms=latency_ms,
            deadline_ms=self.deadline_ms, attempt=self.attempt, fallback="+".join(fell) or "none",
            degraded=bool(fell), n_items=self.n_items, n_asked=request.k,
            n_candidates=self.n_candidates, n_ranked=self.n_ranked, features_ms=ms("features"),
            retrieval_ms=ms("retrieval"), ranking_ms=ms("ranking"), rules_ms=ms("rules"),
            feature_age_s=self.profile_age_s, session_age_s=self.session_age_s,
            missing_share=self.missing_share, arm=ARM, model_version=self.model_version or None,
            encoder_version=self.encoder_version or None,
            index_version=self.index_version or None, rules_version=self.rules_version or None,
            payload_bytes=self.payload_bytes, consent=said and ("granted" if said.granted else "denied"),
            consent_from=said and said.source, consent_age_s=said and max(0.0, self.ts - said.ts),
        ))  # fmt: skip


def write_impressions(
    telemetry: Telemetry, ts: float, context: Context, user: int, items: Any, model_version: str
) -> None:
    """One row per item of the slate. ts: world seconds; items: the answer's SlateItems."""
    session = str(context.session)
    for item in items:
        ranked = item.model_rank > 0
        telemetry.row("impressions", row_of.impressions(
            ts=ts, request_id=context.trace_id, session_id=session, user_id=user,
            item_id=item.item_id, position=item.position,
            model_rank=item.model_rank if ranked else None, score=item.score,
            p_click=item.p_click if ranked else None, cand_source="+".join(item.sources),
            propensity=item.propensity, randomised=item.randomised, arm=ARM,
            model_version=model_version or None,
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
        telemetry.row("explain", row_of.explain(
            ts=ts, request_id=request_id, item_id=ids[row],
            sources="+".join(names[candidates.masks[row]]), source_score=source_scores[row],
            model_rank=rank if ranked.model_version else None, score=float(ranked.scores[row]),
            position=place, dropped_by=reason,
        ))  # fmt: skip


def _text(session: int | None) -> str | None:
    return None if session is None else str(session)
