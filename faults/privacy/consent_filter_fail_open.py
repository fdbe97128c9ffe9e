from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from faults.base import Fault, FaultParams
from sandbox.base.config import GatewayConfig
from services.skeleton.seams import Call, ProceedSync


class ConsentFilterFailOpen(Fault):
    """Release a gateway that takes it for a yes when the consent ledger does not answer in time.

    As long as the ledger answers nobody notices. Once it is late, people who said no are answered by what is known of
    them, and what was assumed is kept as an answer would be. Precedent: CNIL against Criteo, 2023: consent that cannot
    be shown is none (GDPR 7(1)); filters that fail open for the sake of availability.
    """

    name = "consent-filter-fail-open"
    layer = "privacy"
    seam = "release"
    needs = ("gateway.consent_wait_ms",)
    moves = "requests whose consent is assumed; personalised answers to people who said no, days after they did"
    stays = "latency (capped, or better); errors and fallbacks; clicks, or a little more of them; the ledger itself"
    look_alikes = ("consent-withdrawal-lag", "optout-signal-ignored", "benign-mix-shift")
    repairs = "revert to fail closed, which forgets what was assumed; then quicken the ledger; count whom it concerned"

    class Params(FaultParams):
        pass

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if patches.get("gateway", {}).get("consent_fail", GatewayConfig().consent_fail) == "open":
            return "the release fails open by itself"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        return proceed(replace(call, payload=call.payload.patched("gateway", "consent_fail", "open")))
