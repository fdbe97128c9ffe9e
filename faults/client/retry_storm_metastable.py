from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from sandbox.base.config import Config, Edge
from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call, ProceedSync

Patches = Mapping[str, Mapping[str, Any]]


class RetryStormMetastable(Fault):
    """Release a client that gives each attempt little time and tries again at once, as often as it may.

    It shows when something else has made the callee slow for a moment: attempts that are given up make the load that
    keeps further ones from being answered, long after that moment is over. Precedent: Bronson et al., "Metastable
    failures in distributed systems", HotOS 2021; Spotify 2013; SREGym's load_spike_rpc_retry_storm.
    """

    name = "retry-storm-metastable"
    layer = "client"
    seam = "release"
    moves = "attempts per call, goodput and the caller's processor, for as long as the load lasts"
    stays = "first attempts and users, which are back to what they were; the callee's work per call"
    look_alikes = ("flash-crowd", "deadline-not-propagated", "cpu-starvation")
    repairs = "cut the retries, give them a budget or open the breaker; neither waiting nor capacity ends it"

    class Params(FaultParams):
        timeout_ms: float = Field(10.0, ge=1, le=1_000, description="that an attempt gets, ms")
        max_attempts: int = Field(30, ge=2, le=30, description="tries in all")
        backoff_ms: float = Field(0.0, ge=0, le=1_000, description="before the second attempt, ms")
        retry_budget: float | None = Field(None, ge=0, le=1, description="retries as a share of calls; none: unbounded")

    @classmethod
    def idle(cls, params: Any, patches: Patches) -> str | None:
        if params.retry_budget is not None and params.retry_budget <= 0.2:
            return "retry_budget: retries that add a fifth to the load keep nothing down"
        edges = list(_edges(patches))
        if patches and not edges:
            return "timeout_ms: the release brings no edge (as ranking.model) whose client it could be"
        if edges and all(params.timeout_ms * 2 > edge["deadline_ms"] for _, _, edge in edges):
            return "timeout_ms: less than half of the edge's deadline, or there is no time for a second attempt"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        release, wanted = call.payload, self.params
        policy = {"attempts": wanted.max_attempts, "timeout_ms": wanted.timeout_ms, "backoff_ms": wanted.backoff_ms,
                  "retry_budget": wanted.retry_budget}  # fmt: skip
        spoilt: Release = release
        for service, callee, edge in _edges(release.patches):
            spoilt = spoilt.patched(service, callee, {**edge, **policy})
        return proceed(replace(call, payload=spoilt))


def _edges(patches: Patches) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Caller, callee and settings of every edge that a release brings."""
    for service, fields in patches.items():
        document = getattr(Config(), service, None)
        for name, value in fields.items():
            if isinstance(getattr(document, name, None), Edge) and isinstance(value, Mapping):
                yield service, name, dict(value)
