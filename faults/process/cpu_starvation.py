from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from faults.base import Fault, FaultParams
from sandbox.base.run import GRPC_PROCESSES
from services.skeleton.room import Room
from services.skeleton.seams import Call, ProceedSync


class CpuStarvation(Fault):
    """Take the processor away: others of the machine work on its cores, or a quota holds one process.

    Live the neighbour is a program that really works, and the quota really stands the process still.
    Precedent: kubernetes #67577; kubernetes-mixin #108, throttled in 66 % of periods with a third of its limit in use.
    """

    name = "cpu-starvation"
    layer = "process"
    seam = "process"
    services = GRPC_PROCESSES
    moves = "p99; quota: throttled_ms of one process at low cpu_pct; neighbour: run_wait_ms and invol_ctx of all"
    stays = "work per request; batch size; first attempts; with a quota all other processes"
    look_alikes = ("thread-oversubscription", "batch-job-collision", "deadline-not-propagated")
    repairs = "raise the quota, or take it back; move the neighbour"

    class Params(FaultParams):
        mode: Literal["neighbour", "quota"] = Field("neighbour", description="who takes it: other programs, or a limit")
        cores: float = Field(4.0, gt=0, le=16, description="neighbour: cores' worth of work that it does")
        quota: float = Field(0.1, gt=0, le=1, description="quota: processor seconds per second of the process, at most")
        period_ms: float = Field(100.0, ge=10, le=1_000, description="quota: counted by so many ms")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.mode == "quota" and params.quota >= 1:
            return "quota: a process works on one core at a time, and all of it is no limit"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        room: Room = proceed(call)
        if self.params.mode == "neighbour":
            return replace(room, neighbours=room.neighbours + self.params.cores)
        quota = self.params.quota if room.quota is None else min(room.quota, self.params.quota)
        return replace(room, quota=quota, period_s=self.params.period_ms / 1000)
