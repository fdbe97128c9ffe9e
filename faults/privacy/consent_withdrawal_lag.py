from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from sandbox.base.config import GatewayConfig
from services.skeleton.seams import Call, ProceedSync


class ConsentWithdrawalLag(Fault):
    """Release a gateway that keeps what the consent ledger answered for hours, where it kept it for moments.

    A withdrawal stands in the ledger at once and is acted on when the kept answer runs out. Precedent: CNIL against
    Criteo, 2023, on withdrawal (GDPR 7(3): as easy as giving it).
    """

    name = "consent-withdrawal-lag"
    layer = "privacy"
    seam = "release"
    needs = ("gateway.consent_keep_s",)
    moves = "personalised answers after a withdrawal, for as long as answers are kept; age of what the gateway went by"
    stays = "who said no long ago; the ledger; latency (fewer questions: better); errors; clicks"
    look_alikes = ("consent-filter-fail-open", "optout-signal-ignored", "session-stream-lag")
    repairs = "revert: ask for each request, or have a withdrawal drop what is kept; count who was served in between"

    class Params(FaultParams):
        keep_s: float = Field(21_600.0, ge=60, le=31 * 86_400, description="an answer is kept so long, world seconds")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        usual = patches.get("gateway", {}).get("consent_keep_s", GatewayConfig().consent_keep_s)
        return f"keep_s: the release keeps answers for {usual:g} s already" if params.keep_s <= usual else None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        return proceed(replace(call, payload=call.payload.patched("gateway", "consent_keep_s", self.params.keep_s)))
