from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field, field_validator

from faults.base import Fault, FaultParams
from services.skeleton.points import POINTS
from services.skeleton.room import Held, Room
from services.skeleton.seams import Call, Place, ProceedSync

# Processes with a quick method that a slow one can hold up.
_METHODS = {
    "gateway": ("Recommend", "LogFeedback"),
    **{name: tuple(op for them in POINTS["rpc"].lies.values() for op in them.get(name, ()))
       for name in ("features", "model", "events")},
}  # fmt: skip
_ALL = tuple(op for ops in _METHODS.values() for op in ops)


class ServerPoolStarved(Fault):
    """Let a few calls of one method keep their handlers, so that all methods of the process wait for a free one.

    The pool is a real one: what is held does not use the processor, and whoever finds no handler stands in line.
    Precedent: grpc #7052, calls queue when the pool is full; #19941, #18535.
    """

    name = "server-pool-starved"
    layer = "process"
    seam = "process"
    services = tuple(_METHODS)
    moves = "pool_queue; queue_ms of server spans of all methods; client latency of the quick ones; fallbacks"
    stays = "processor use, which is low; time in the handler of the quick methods; other processes"
    look_alikes = ("rpc-edge-latency", "batcher-queue-blowup", "cpu-starvation")
    repairs = "more handlers, or a pool of its own for the slow method; take back what made it slow"

    class Params(FaultParams):
        max_handlers: int = Field(4, ge=1, le=64, description="calls handled at once, where it has not fewer")
        slow_method: str = Field("GetItems", description="method whose calls keep their handlers")
        slow_ms: float = Field(300.0, gt=0, le=5_000, description="how long they do, ms")
        slow_share: float = Field(0.1, gt=0, le=1, description="of its calls")

        @field_validator("slow_method")
        @classmethod
        def _known(cls, method: str) -> str:
            if method not in _ALL:
                raise ValueError(f"one of {', '.join(_ALL)}")
            return method

    @classmethod
    def stray(cls, params: Any, service: str) -> str | None:
        there = _METHODS.get(service, ())
        if params.slow_method in there:
            return None
        return f"slow_method: a method of {service}, one of {', '.join(there)}"

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        room: Room = proceed(call)
        handlers = min(room.handlers, self.params.max_handlers)
        return replace(room, handlers=handlers, held_s=self._held(room.held_s))

    def _held(self, before: Held) -> Held:
        wanted = self.params

        def held_s(method: str, place: Place) -> float:
            slow = method == wanted.slow_method and self.draw(place) < wanted.slow_share
            return before(method, place) + (wanted.slow_ms / 1000 if slow else 0.0)

        return held_s
