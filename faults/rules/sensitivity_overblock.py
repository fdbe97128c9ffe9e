from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class SensitivityOverblock(Fault):
    """Release a sensitivity list whose threshold for some languages or topics removes benign content."""

    name = "sensitivity-overblock"
    layer = "rules"
    seam = "release"
    moves = "share dropped by the sensitivity rule in one slice; that slice's exposure; coverage"
    stays = "overall CTR; latency; errors; the label-based violation counter (falls: looks like success)"
    look_alikes = ("group-underrepresented", "candidate-source-empty")
    repairs = "revert the list, then review the slice's precision"

    class Params(FaultParams):
        threshold: float = Field(
            0.2, ge=0, le=1, description="classifier score from which it drops"
        )
        languages: tuple[str, ...] = Field((), description="languages it hits; none: no language")
        topics: tuple[str, ...] = Field((), description="topics it hits; none: no topic")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        listed = dict(call.payload.patches["rules"]["sensitivity"])
        lower = self.params.threshold
        listed["by_language"] = {
            **listed.get("by_language", {}),
            **dict.fromkeys(self.params.languages, lower),
        }
        listed["by_topic"] = {
            **listed.get("by_topic", {}),
            **dict.fromkeys(self.params.topics, lower),
        }
        return proceed(replace(call, payload=call.payload.patched("rules", "sensitivity", listed)))
