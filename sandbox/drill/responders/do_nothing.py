"""Reports that nothing is wrong, and touches nothing."""

from __future__ import annotations

from sandbox.drill.play.report import Report
from sandbox.drill.responders.env import DrillEnv


class DoNothing:
    """Waits for the page and closes it."""

    def respond(self, env: DrillEnv) -> Report:
        env.wait_for_page()
        return Report(incident=False, notes="Looks fine from here.")
