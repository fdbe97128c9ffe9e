from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class BatcherQueueBlowup(Fault):
    """Release a batcher that goes by the clock: it waits for company when nobody comes, and takes few when many do.

    Between two batches the processor does nothing. As long as calls come slower than batches go each is later by one
    beat; beyond that the line grows without a bound, and whoever gives up keeps a place in it.
    Precedent: Triton #8870, #4841, #4667, #6368.
    """

    name = "batcher-queue-blowup"
    layer = "model"
    seam = "release"
    moves = "queue_ms of `forward` spans of the model, far above the time that they compute; p99 and stand-ins beyond the knee"
    stays = "time to compute a batch; processor use, which is low; calls and rows"
    look_alikes = ("server-pool-starved", "cpu-starvation", "rpc-edge-latency")
    repairs = "let a batch go when somebody waits and the model is free, bound the line; take the batcher back"
    needs = ("model.max_batch",)

    class Params(FaultParams):
        max_delay_ms: float = Field(25.0, ge=1, le=200, description="from one batch to the next, ms")
        max_batch: int = Field(1, ge=1, le=64, description="calls that a batch takes")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        beat = {"every_ms": self.params.max_delay_ms, "calls": self.params.max_batch}
        return proceed(replace(call, payload=call.payload.patched("model", "beat", beat)))
