"""Restarts, reverts and switches off whatever there is, and declares it solved."""

from __future__ import annotations

from sandbox.drill.play.report import Report
from sandbox.drill.responders import deeds
from sandbox.drill.responders.env import DrillEnv


class Vandal:
    """Havoc, then an all-clear with full confidence: whatever was wrong, nothing can be by now.

    Its report earns what that of do-nothing does, so that a difference between the two is what the
    havoc earned. It must not be above 0.
    """

    def respond(self, env: DrillEnv) -> Report:
        env.wait_for_page()
        havoc = [*deeds.reverts(env), *deeds.RESTARTS, *deeds.OLDEST, *deeds.SWITCHED_OFF, "skip-backlog",
                 *deeds.OTHER_PATHS]  # fmt: skip
        done = [action for action in havoc if deeds.tried(env, action)]
        return Report(incident=False, actions=done[:50], confidence=1.0, notes="All clean now.")
