from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class BadModelPromoted(Fault):
    """Let a trained version out whatever its gate says: what was too little trained is served.

    The gate's own verdict stands in the registry; nobody heeded it. Precedent: a gate that took "not enough evidence" for
    a pass (argo-rollouts#3850), and rule 9 of Google's "Rules of Machine Learning": look before you export.
    """

    name = "bad-model-promoted"
    layer = "release"
    seam = "gate"
    moves = "CTR of the requests that the version answers, in every slice; the spread of its scores"
    stays = "requests that other versions answer; features; index; candidates; errors; latency"
    look_alikes = ("embedding-index-version-skew", "transform-skew", "rule-order-inversion")
    repairs = "go back to the version before; then have the gate block, and watch a canary beside an equal baseline"

    class Params(FaultParams):
        passes: list[Literal["hold", "fail"]] = Field(
            ["hold", "fail"], min_length=1, max_length=2, description="verdicts that count as a pass"
        )

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        said = proceed(call)
        return "pass" if said in self.params.passes else said
