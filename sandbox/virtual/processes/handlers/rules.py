"""The slate, as the business rules leave it."""

from __future__ import annotations

from sandbox.virtual.answers.later import Later
from sandbox.virtual.answers.request import Answer, Request
from sandbox.virtual.machine.fabric import Context
from sandbox.virtual.processes.handlers.service import Service, there
from services.gateway.stages import Candidates, Ranked, UserRows
from services.rules.core import Slate
from services.rules.server import decision_rows


class Rules(Service):
    """Apply."""

    async def apply_rules(
        self, asked: Request, rows: UserRows, answer: Later[Answer], candidates: Later[Candidates],
        ranked: Later[Ranked], same: bool, context: Context,
    ) -> Later[Slate]:  # fmt: skip
        await self.fabric.work("rules.Apply", context)
        content = self.content
        if same:
            slate = answer.then(lambda a: there(a.slate))
        else:
            slate = self.gathering.later(lambda: content.apply_rules(asked, rows, candidates.get(), ranked.get()))
        if self.fabric.record is not None:
            policy, version, now = content.loaded.policy, content.rules_version, self.now()
            self.note("rules", "rule_decisions", lambda: decision_rows(
                slate.get(), candidates.get().ids[ranked.get().order], policy, version, now, context.trace_id,
                context.sampled,
            ))  # fmt: skip
        return slate
