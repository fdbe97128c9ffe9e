"""How a fault comes: strength 0..1 over the world seconds since it was armed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, model_validator

# What a shape reads beside its name; the rest has no say.
SETTINGS = {"step": (), "ramp": ("ramp_s",), "pulses": ("period_s", "on_s"), "drift": ("half_life_s",)}


class Onset(BaseModel, extra="forbid", frozen=True):
    """step: at once. ramp: linear over `ramp_s`. pulses: on for `on_s` of every `period_s`.
    drift: half of what is missing every `half_life_s`. All in world seconds."""

    shape: Literal["step", "ramp", "pulses", "drift"] = "step"
    ramp_s: float = Field(600.0, gt=0)
    period_s: float = Field(600.0, gt=0)
    on_s: float = Field(120.0, gt=0)
    half_life_s: float = Field(1_800.0, gt=0)

    @model_validator(mode="after")
    def _pauses(self) -> Onset:
        if self.shape == "pulses" and self.on_s >= self.period_s:
            raise ValueError("on_s: shorter than period_s, or there are no pulses but a step")
        return self

    def strength(self, since_s: float) -> float:
        """Strength 0..1; 0 before it was armed."""
        if since_s < 0:
            return 0.0
        if self.shape == "ramp":
            return min(1.0, since_s / self.ramp_s)
        if self.shape == "pulses":
            return 1.0 if since_s % self.period_s < self.on_s else 0.0
        if self.shape == "drift":
            return float(1.0 - 0.5 ** (since_s / self.half_life_s))
        return 1.0
