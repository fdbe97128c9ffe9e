from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field, field_validator

from faults.base import Fault, FaultParams
from sandbox.base.catalogue import LANGUAGES
from sandbox.base.config import SensitivityList
from services.skeleton.seams import Call, ProceedSync


class SensitivityOverblock(Fault):
    """Release a sensitivity list whose threshold for some languages or topics removes benign content."""

    name = "sensitivity-overblock"
    layer = "rules"
    seam = "release"
    needs = ("rules.sensitivity",)
    moves = "share dropped by the sensitivity rule in one slice; that slice's exposure; coverage"
    stays = "overall CTR; latency; errors; the label-based violation counter (falls: looks like success)"
    look_alikes = ("group-underrepresented", "candidate-source-empty")
    repairs = "revert the list, then review the slice's precision"

    class Params(FaultParams):
        threshold: float = Field(0.2, ge=0, le=1, description="classifier score from which it drops")
        languages: tuple[str, ...] = Field((), description="languages it hits; none: no language")
        topics: tuple[str, ...] = Field((), description="topics it hits; none: no topic")

        @field_validator("languages")
        @classmethod
        def _spoken(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            if unknown := sorted(set(names) - set(LANGUAGES)):
                raise ValueError(f"{unknown[0]!r} is none of {', '.join(LANGUAGES)}")
            return names

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if not params.languages and not params.topics:
            return "languages, topics: it hits none of either, so the list stays as it is"
        usual = patches.get("rules", {}).get("sensitivity", {}).get("threshold", SensitivityList().threshold)
        if params.threshold >= usual:
            return f"threshold: the list drops from {usual:g} on already"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        listed = dict(call.payload.patches["rules"]["sensitivity"])
        lower = self.params.threshold
        listed["by_language"] = {**listed.get("by_language", {}), **dict.fromkeys(self.params.languages, lower)}
        listed["by_topic"] = {**listed.get("by_topic", {}), **dict.fromkeys(self.params.topics, lower)}
        return proceed(replace(call, payload=call.payload.patched("rules", "sensitivity", listed)))
