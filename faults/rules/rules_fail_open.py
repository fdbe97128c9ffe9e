from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from sandbox.base.config import GatewayConfig
from services.skeleton.seams import Call, ProceedSync


class RulesFailOpen(Fault):
    """Release a gateway that waits for the rules so long and no longer, and then answers without them.

    What no rule has seen goes out in the order of the ranker: labels, ages, rights, caps and what was just seen
    count for nothing. Nobody calls it a fallback. Precedent: fail-open as the availability choice of filters,
    and Google's Service Control of June 2025, whose policy checks had no safe way to fail (FAULTS.md).
    """

    name = "rules-fail-open"
    layer = "rules"
    seam = "release"
    needs = ("gateway.rules",)
    moves = "requests without a rules_version or a decision; items against policy; repeats; time-outs of the edge"
    stays = "errors and fallbacks of the gateway; items per slate; latency (capped, or better)"
    look_alikes = ("sensitivity-label-lag", "rule-order-inversion", "rpc-edge-latency")
    repairs = "revert the edge: fail closed, with a vetted slate, and give the rules the time they need"

    class Params(FaultParams):
        timeout_ms: float = Field(20.0, ge=1, le=1_000, description="what the gateway waits for the rules, ms")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        usual = patches.get("gateway", {}).get("rules", {}).get("deadline_ms", GatewayConfig().rules.deadline_ms)
        if params.timeout_ms > usual:
            return f"timeout_ms: the release waits {usual:g} ms already"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        edge = {**call.payload.patches["gateway"]["rules"], "deadline_ms": self.params.timeout_ms}
        release = call.payload.patched("gateway", "rules", edge).patched("gateway", "rules_fail", "open")
        return proceed(replace(call, payload=release))
