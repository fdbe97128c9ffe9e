"""Knows what to ask: the scripted responder with the scenario's own evidence, and the size of the harm."""

from __future__ import annotations

from sandbox.drill.play.report import Report
from sandbox.drill.responders.autopilot import respond
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.responders.observed import Rows
from sandbox.drill.scenario.scenario import Scenario


class Gold:
    """Concludes only what the running stack answers; left without its fault it finds nothing."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario

    def respond(self, env: DrillEnv) -> Report:
        report, _ = respond(self._scenario, _Desk(env), env.began)
        return report


class _Desk:
    """The scripted responder's desk, on an environment."""

    def __init__(self, env: DrillEnv) -> None:
        self._env = env

    def now(self) -> float:
        return self._env.now

    def wait(self, until_ts: float) -> None:
        self._env.wait(max(0.0, until_ts - self._env.now))

    def paged(self) -> float | None:
        return self._env.paged_ts

    def ask(self, sql: str) -> Rows:
        return self._env.observe(sql)

    def act(self, action: str) -> None:
        self._env.act(action)
