from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from faults.base import Fault
from services.skeleton.balancer import PICK_FIRST
from services.skeleton.seams import Call, ProceedSync

_SETTING = "balancing"


class LbPickFirstPin(Fault):
    """Release a client that stays with the first instance it is connected to, in place of one that takes them in turn.

    Precedent: long-lived HTTP/2 connections under gRPC's default policy (dapr #1444, keda #5224, grpc-go #5621).
    """

    name = "lb-pick-first-pin"
    layer = "rpc"
    seam = "release"
    moves = "calls, processor use and pool queue of one instance; the callers' p99 and fallbacks; nothing with more instances"
    stays = "averages over all instances of the callee; errors; the volume of requests; work per request"
    look_alikes = ("server-pool-starved", "cpu-starvation", "flash-crowd")
    repairs = "have the callers take the instances in turn; more of them, or a restart, change nothing"

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        del params
        if patches and not any(_SETTING in settings for settings in patches.values()):
            return f"a release that sets {_SETTING} of a caller"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        release = call.payload
        for caller, settings in call.payload.patches.items():
            if _SETTING in settings:
                release = release.patched(caller, _SETTING, PICK_FIRST)
        return proceed(replace(call, payload=release))
