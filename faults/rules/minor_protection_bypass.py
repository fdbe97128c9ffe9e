from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.rules.policy import ADULT_YEARS
from services.skeleton.seams import Call, ProceedSync


class MinorProtectionBypass(Fault):
    """Release rules by which an unknown age counts as so many years, where it counted as a minor's.

    The maturity rule and the stricter part of the sensitivity rule then pass over everybody who never gave an
    age, children among them. Precedent: WW's Kurbo, which took the age of who had not given it for an adult's
    (FTC, 2022); DSA, article 28.
    """

    name = "minor-protection-bypass"
    layer = "rules"
    seam = "release"
    needs = ("rules.rules",)
    moves = "items above age among what users of unknown age are shown; drops of the maturity rule for them; hides"
    stays = "what known minors and adults are shown; counters that ask for known minors; latency; errors"
    look_alikes = ("sensitivity-label-lag", "rules-fail-open", "benign-mix-shift")
    repairs = "revert the rules: an unknown age is a minor's until it is known; count afterwards who saw what"

    class Params(FaultParams):
        assumed_years: int = Field(ADULT_YEARS, ge=14, le=120, description="what an unknown age counts as, years")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        rules = patches.get("rules", {}).get("rules")
        if rules is not None and not any(_guards(rule) for rule in rules):
            return "the release has no maturity rule that is on, so ages decide nothing"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        rules = [
            {**rule, "params": {**rule.get("params", {}), "unknown_age_years": self.params.assumed_years}}
            if _guards(rule) else rule
            for rule in call.payload.patches["rules"]["rules"]
        ]  # fmt: skip
        return proceed(replace(call, payload=call.payload.patched("rules", "rules", rules)))


def _guards(rule: Mapping[str, Any]) -> bool:
    return bool(rule["id"] == "maturity" and rule.get("enabled", True))
