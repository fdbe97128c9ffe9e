from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from faults.base import Fault, FaultParams
from sandbox.base.errors import SandboxError
from services.skeleton.points import POINTS
from services.skeleton.seams import Call, Proceed

_CODES = {"UNAVAILABLE": "WIRE-005", "INTERNAL": "WIRE-006", "NOT_FOUND": "WIRE-003"}


class RpcAbortSlice(Fault):
    """A callee answers one slice of its calls with an error, at once, and all others as ever.

    The slice is the scope's (users, regions, methods, who calls), or all requests that hold one of the `items`: one
    bad candidate then costs the other two hundred. Precedent: the product that always fails in OpenTelemetry's
    demo; the abort of Envoy's fault filter.
    """

    name = "rpc-abort-slice"
    layer = "rpc"
    seam = "handle"
    services = tuple(POINTS["handle"].processes)
    moves = "errors of one callee, as large as the slice; fallbacks for it; retries where the status invites them"
    stays = "latency of what succeeds (errors are quick); every other slice"
    look_alikes = ("lb-pick-first-pin", "rpc-edge-latency", "default-masks-error")
    repairs = "restart what holds the bad state, or take its release back; keep the poison out; retry elsewhere"

    class Params(FaultParams):
        code: Literal["UNAVAILABLE", "INTERNAL", "NOT_FOUND"] = Field(
            "INTERNAL", description="status of the answer; UNAVAILABLE is tried again"
        )
        items: tuple[int, ...] = Field(
            (), max_length=1_000, description="only requests that hold one of these item ids; none: all in scope"
        )

    async def around(self, call: Call, proceed: Proceed) -> Any:
        if self.params.items and not np.isin(_items(call.payload), self.params.items).any():
            return await proceed(call)
        raise SandboxError(
            _CODES[self.params.code],
            where=f"{call.service}.{call.op}",
            seen="a record that cannot be read",
            expected="an answer",
            fix=f"see the log of {call.service}",
        )


def _items(request: Any) -> np.ndarray:
    """int64 [n]: the items that a request speaks of; none where it speaks of none."""
    ids = getattr(request, "item_ids", b"")
    if isinstance(ids, bytes):
        return np.frombuffer(ids[: len(ids) // 8 * 8], "<i8")
    return np.fromiter(ids, np.int64)
