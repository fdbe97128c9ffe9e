"""How much traffic there is when: one pure function of time, which both backends follow."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

MOST_TESTED = 120.0  # requests per wall second of a load test: some times what drills have, and one generator's worth
# What a shape needs beside its name and the usual rate; the rest has no say.
SETTINGS: dict[str, tuple[str, ...]] = {
    "steady": (),
    "daily": (),
    "ramp": ("to_per_s", "at_s", "until_s"),
    "burst": ("to_per_s", "at_s", "until_s"),
}


class TrafficShape(BaseModel, extra="forbid", frozen=True):
    """Recommendation requests per wall second over the world seconds since a drill began.

    steady: always rate_per_s. daily: so much on the average of a day, by its hours, as the world's users
    live. ramp: rate_per_s up to at_s, then in a straight line to to_per_s at until_s, and so it stays. burst:
    to_per_s from at_s to until_s, rate_per_s before and after.
    """

    shape: Literal["steady", "daily", "ramp", "burst"] = "steady"
    rate_per_s: float = Field(25.0, gt=0, le=500)
    to_per_s: float | None = Field(None, gt=0, le=500)
    at_s: float | None = Field(None, ge=0)
    until_s: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> TrafficShape:
        wanted = SETTINGS[self.shape]
        for name in ("to_per_s", "at_s", "until_s"):
            given = getattr(self, name) is not None
            if given and name not in wanted:
                raise ValueError(f"{name}: {self.shape} has no use for it")
            if not given and name in wanted:
                raise ValueError(f"shape: {self.shape} needs {name} as well")
        if self.at_s is not None and self.until_s is not None and self.until_s <= self.at_s:
            raise ValueError(f"until_s: after at_s, {self.at_s:g}")
        if self.to_per_s == self.rate_per_s:
            raise ValueError("to_per_s: another rate than rate_per_s, or nothing changes")
        return self

    def later(self, by_s: float) -> Self:
        """The same, world seconds later."""
        times = {"at_s": self.at_s, "until_s": self.until_s}
        return self.model_copy(update={k: v if v is None else v + by_s for k, v in times.items()})

    @property
    def peak_per_s(self) -> float:
        return max(self.rate_per_s, self.to_per_s or 0.0)

    def per_s(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 [n], requests per wall second at these world seconds since the beginning. Of `daily`
        the mean of a day: its hours are the world's affair."""
        usual = np.full(np.shape(at_s), self.rate_per_s)
        if self.to_per_s is None or self.at_s is None or self.until_s is None:
            return usual
        if self.shape == "burst":
            return np.where((at_s >= self.at_s) & (at_s < self.until_s), self.to_per_s, usual)
        part = np.clip((at_s - self.at_s) / (self.until_s - self.at_s), 0.0, 1.0)
        return usual + (self.to_per_s - self.rate_per_s) * part


class LoadTest(BaseModel, extra="forbid", frozen=True):
    """Visits of a program beside the users', to see what the stack bears: rate_per_s requests per wall second from
    start_ts to until_ts, world seconds since the epoch. Each visit is one request, so that they come whether the
    ones before them were answered or not."""

    rate_per_s: float = Field(gt=0, le=MOST_TESTED)
    start_ts: float
    until_ts: float

    @model_validator(mode="after")
    def _lasts(self) -> LoadTest:
        if self.until_ts <= self.start_ts:
            raise ValueError(f"until_ts: after start_ts, {self.start_ts:g}")
        return self

    def within(self, start_ts: float, end_ts: float) -> tuple[float, float]:
        """The part of a window in which it goes on: as long as nothing where it does not."""
        start = max(start_ts, self.start_ts)
        return start, max(start, min(end_ts, self.until_ts))
