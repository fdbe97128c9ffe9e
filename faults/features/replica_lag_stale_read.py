from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.replica import hold
from services.skeleton.seams import Call, Proceed


class ReplicaLagStaleRead(Fault):
    """Hold back the replica from which rows are read: it catches up every so often, and stands still in between.

    What was written a moment ago is there, and whoever serves does not see it: not the clicks of a visit, not the list
    of what was seen, not a fresh run of the batch job. Harms nobody where reads are from the primary. Precedent: Twilio
    2013 and Discord (collection of post-mortems by D. Luu), where replicas of Redis had to be synchronised anew.
    """

    name = "replica-lag-stale-read"
    layer = "features"
    seam = "store"
    services = ("materialiser",)
    moves = (
        "replica_lag_s of redis_stats, in a saw-tooth; ages of session and seen rows as served; repeats in a visit; CTR"
    )
    stays = "backlog and progress of the stream; runs of the batch job; evictions, expiries; latency; errors"
    look_alikes = ("session-stream-lag", "online-key-ttl-expiry", "materialization-stalled")
    repairs = "read from the primary, at least what was just written; take reads back once the replica follows"

    class Params(FaultParams):
        lag_s: float = Field(10.0, ge=1, le=600, description="for how long it stands still each time, wall s")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        held = hold(round(self.params.lag_s * 1000))
        return await proceed(replace(call, payload=(*call.payload, held)))
