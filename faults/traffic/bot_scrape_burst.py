from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Place, ProceedSync

_STRIDE = 7_919  # a prime: ids that lie far apart


class BotScrapeBurst(Fault):
    """Programs come under the names of a few users, go through page after page at a beat, and click by plan.

    They wait in the same queues as people and stand in the same counters, but want nothing: averages over all fall,
    those over people stay. Precedent: robots in click logs (Yahoo), and up to half of the exposures of experiments
    (Statsig's guide to bots).
    """

    name = "bot-scrape-burst"
    layer = "traffic"
    seam = "traffic"
    services = ("load",)
    moves = "requests, of few users; gaps between them, all alike; depth of sessions; CTR over all; latency under load"
    stays = "clicks, dwell and conversions of everybody else; users per minute; versions; errors"
    look_alikes = ("flash-crowd", "retry-storm-metastable", "benign-mix-shift")
    repairs = "limit requests per user; leave the same users out of metrics and of training"

    class Params(FaultParams):
        requests_share: float = Field(0.5, gt=0, le=5, description="their requests, as a share of all usual ones")
        users: int = Field(8, ge=1, le=1_000, description="under whose names they come")
        pages: int = Field(60, ge=1, le=10_000, description="requests of one visit")
        gap_s: float = Field(2.0, ge=0.1, le=3_600, description="from an answer to the next request, world s")
        clicks: Literal["none", "random", "targets"] = Field("none", description="what they click on")
        targets: tuple[int, ...] = Field((), max_length=1_000, description="item ids, for clicks: targets")

    @classmethod
    def idle(cls, params: Any, patches: Any) -> str | None:
        del patches
        if params.clicks == "targets" and not params.targets:
            return "targets: there is none that they could click on"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: (start, end), world s. call.attributes: arrivals, which can draw programs."""
        arrivals, p = call.attributes["arrivals"], self.params
        programs = arrivals.scripted(
            *call.payload, p.requests_share, self.name, self._posed(arrivals.catalogue.n_users),
            pages=p.pages, gap_s=p.gap_s, clicks=p.clicks, targets=p.targets,
        )  # fmt: skip
        return proceed(call).with_(programs)

    def _posed(self, n_users: int) -> np.ndarray:
        """bool [n_users]: under whose names they come, the same for as long as they come."""
        first = int(self.draw(Place()) * n_users)
        chosen: np.ndarray = (np.arange(n_users) * _STRIDE + first) % n_users < self.params.users
        return chosen
