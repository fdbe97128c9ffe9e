"""What the gateway does once the answer has gone out: it tells the events service what was shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from sandbox.base.errors import SandboxError
from services.proto.recsys.v1 import events_pb2
from services.skeleton.client import Callee
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host

GATHER_S = 0.075  # wall seconds that slates gather: they travel and are stored together, and wake everybody once
MAX_IN_PROGRESS = 500  # appends; further ones are left out and counted, rather than piled up
FINISH_S = 2.0  # wall seconds that those in progress get when the service stops


class Behind:
    """Appends of impressions that nobody waits for: slates gather for a moment, then each is a call of its own.

    The answer acknowledges no impression. Who is ended in order sends what has gathered; what a killed gateway had
    gathered is lost to the event stream, as is what it had on its way. Feedback does not come by here.
    """

    def __init__(self, host: Host, events: Callee) -> None:
        self.telemetry, self.events = host.telemetry, events
        self.edge = host.config.gateway.events
        self.left_out = 0
        self._gathered: list[tuple[Any, Context]] = []
        self._gathering: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def append(self, ts: float, answer: Any, context: Context) -> None:
        """ts: world seconds at which the slate was answered. answer: RecommendResponse."""
        if len(self._tasks) + len(self._gathered) >= MAX_IN_PROGRESS:
            self.left_out += 1
            if self.left_out % MAX_IN_PROGRESS == 1:
                self.telemetry.log("warn", "impressions not appended", n=self.left_out)
            return
        request = events_pb2.AppendImpressionsRequest(
            event_ts=ts,
            request_id=context.trace_id,
            session_id=str(context.session),
            user_id=answer.user_id,
            item_ids=[item.item_id for item in answer.items],
        )
        self._gathered.append((request, replace(context, deadline=None)))
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER_S, self._send_gathered)

    def _send_gathered(self) -> None:
        self._gathering = None
        gathered, self._gathered = self._gathered, []
        for request, context in gathered:
            task = asyncio.create_task(self._send(request, context))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, request: Any, context: Context) -> None:
        CURRENT.set(context)  # the request's own deadline does not hold here
        try:
            await self.events.call("AppendImpressions", request, self.edge)
        except SandboxError as error:
            self.telemetry.log("warn", "impressions not appended", context.trace_id, code=error.kind.code)

    async def finish(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._send_gathered()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_S)
