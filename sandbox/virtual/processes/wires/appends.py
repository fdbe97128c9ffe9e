"""What users did and were shown, as messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.virtual.processes.wires.packing import Handler
from services.events import core as events
from services.proto.recsys.v1 import events_pb2, gateway_pb2

if TYPE_CHECKING:  # the handlers offer these to the fabric
    from sandbox.virtual.machine.fabric import Context
    from sandbox.virtual.processes.handlers import Service
    from sandbox.virtual.processes.intake import Append as Append_


@dataclass(frozen=True)
class Append:
    service: Service
    append: Append_
    entries: list[events.Entry]
    callee, op = "events", "Append"

    def request(self) -> Any:
        return gateway_pb2.LogFeedbackRequest(events=[
            gateway_pb2.Feedback(
                event_id=e.event_id, event_ts=e.ts, request_id=e.request_id, session_id=str(e.session),
                user_id=e.user, item_id=e.items[0], kind=e.kind, value=e.value,
            )
            for e in self.entries
        ])  # fmt: skip

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            fabric, of = self.service.fabric, self.service.content.catalogue
            await fabric.work("events.Append", context)
            entries = events.check_feedback(request.events, fabric.world.now(), of.n_users, of.n_items)
            return await self.append("Append", entries, context) if entries else []

        return handle

    def answer(self, value: list[bool]) -> Any:
        accepted = sum(map(bool, value))
        return gateway_pb2.LogFeedbackResponse(accepted=accepted, duplicate=len(self.entries) - accepted)

    def value(self, answer: Any) -> list[bool]:
        return [True] * answer.accepted


@dataclass(frozen=True)
class AppendImpressions:
    service: Service
    append: Append_
    entry: events.Entry
    callee, op = "events", "AppendImpressions"

    def request(self) -> Any:
        e = self.entry
        return events_pb2.AppendImpressionsRequest(
            event_ts=e.ts, request_id=e.request_id, session_id=str(e.session), user_id=e.user, item_ids=e.items
        )

    def handler(self, request: Any) -> Handler:
        async def handle(context: Context) -> Any:
            fabric, of = self.service.fabric, self.service.content.catalogue
            await fabric.work("events.AppendImpressions", context)
            entry = events.check_impressions(
                request.user_id, request.item_ids, request.event_ts, request.session_id,
                request.request_id, fabric.world.now(), of.n_users, of.n_items,
            )  # fmt: skip
            return await self.append("AppendImpressions", [entry], context) if entry.items else []

        return handle

    def answer(self, value: list[bool]) -> Any:
        del value
        return events_pb2.AppendImpressionsResponse()

    def value(self, answer: Any) -> list[bool]:
        del answer
        return []
