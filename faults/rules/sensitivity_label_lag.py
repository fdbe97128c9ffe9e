from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class SensitivityLabelLag(Fault):
    """Release a list whose labels reach the sensitivity rule `delay_s` after an item came out.

    Until then the rule knows neither label nor score, and lets the item pass as safe. Precedent:
    Facebook's down-ranking that failed for months while its counters were quiet (FAULTS.md).
    """

    name = "sensitivity-label-lag"
    layer = "rules"
    seam = "release"
    needs = ("rules.sensitivity",)
    moves = "items against policy among what is shown, all of them young; hides; drops of young items"
    stays = "drops of items that are older than the lag; counters that read the same labels; latency"
    look_alikes = ("rules-fail-open", "rule-order-inversion", "benign-mix-shift")
    repairs = "revert the list; until labels are there, hold what has none; count afterwards who saw what"

    class Params(FaultParams):
        delay_s: float = Field(
            1_209_600.0, gt=0, le=31_536_000, description="age of an item at which its label counts, world s"
        )

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        listed = dict(call.payload.patches["rules"]["sensitivity"])
        listed["label_delay_s"] = self.params.delay_s
        return proceed(replace(call, payload=call.payload.patched("rules", "sensitivity", listed)))
