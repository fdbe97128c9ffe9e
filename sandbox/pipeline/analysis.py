"""A canary's analysis from its beginning to its end: a pure fold over looks.

It ends by itself in one of four ways: the canary is worse (fail), its time is over and it is not (pass), its time is
over and nobody can tell (hold), or somebody took the canary away (gone). Only a pass promotes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sandbox.pipeline.verdict import Judgement

Step = Literal["go on", "restart", "fail", "pass", "hold", "gone"]


@dataclass(frozen=True)
class Plan:
    """length_s: world seconds from the first look at a version to its verdict. every_s: between looks. errors_most:
    looks in a row that may fail to be made; one more, and the canary is taken back: nobody watches it."""

    length_s: float
    every_s: float
    errors_most: int = 3

    @property
    def looks(self) -> int:
        """That there will be in all."""
        return max(1, round(self.length_s / self.every_s))


@dataclass(frozen=True)
class Seen:
    """One look. ts: world seconds. canary: version in force as canary, None for none. live: the one it is compared
    with."""

    ts: float
    canary: str | None
    live: str
    judgement: Judgement


@dataclass(frozen=True)
class Analysis:
    """began_ts: from when traffic counts. errors: looks in a row that failed."""

    canary: str
    live: str
    began_ts: float
    looks: int = 0
    errors: int = 0
    restarts: int = 0


def look(now: Analysis, seen: Seen, plan: Plan) -> tuple[Analysis, Step]:
    """What one more look comes to. Another canary, or another live version, means that what was counted is about
    something else: the analysis begins anew."""
    if seen.canary is None:
        return now, "gone"
    if (seen.canary, seen.live) != (now.canary, now.live):
        return Analysis(seen.canary, seen.live, seen.ts, restarts=now.restarts + 1), "restart"
    over = seen.ts >= now.began_ts + plan.length_s
    if seen.judgement.errored:
        after = replace(now, looks=now.looks + 1, errors=now.errors + 1)
        return after, "hold" if over or after.errors > plan.errors_most else "go on"
    after = replace(now, looks=now.looks + 1, errors=0)
    if seen.judgement.verdict == "fail":
        return after, "fail"
    if not over:
        return after, "go on"
    return after, seen.judgement.verdict
