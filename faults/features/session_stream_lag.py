from __future__ import annotations

from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Proceed


class SessionStreamLag(Fault):
    """Hold the stream processor's writes until their events are `lag_s` old, so that it really lags.

    The consumer group's backlog in Redis grows, session features and the seen list fall behind, the
    batch views stay fresh. Precedent: stream-to-feature lag in Feast's tracker (#4133).
    """

    name = "session-stream-lag"
    layer = "features"
    seam = "write"
    services = ("stream",)
    moves = "age of user_session and user_seen; backlog of the stream; repeats; CTR late in a session"
    stays = "CTR of the first request of a session; ages of the batch views; latency; errors"
    look_alikes = ("materialization-stalled", "replica-lag-stale-read", "popularity-feedback-loop")
    repairs = "restart the stream processor, then drain or skip its backlog"

    class Params(FaultParams):
        lag_s: float = Field(2_400.0, gt=0, le=7_200, description="age of events when written, world s")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        await self.world.wait_until(call.attributes["event_ts"] + self.params.lag_s)
        return await proceed(call)
