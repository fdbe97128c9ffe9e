"""Knows what to ask: the scripted responder with the scenario's own evidence, and the size of the harm."""

from __future__ import annotations

from typing import Any

from sandbox.drill.autopilot import respond
from sandbox.drill.env import DrillEnv
from sandbox.drill.report import Report
from sandbox.drill.scenario import Scenario


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

    def wait_until(self, ts: float) -> None:
        self._env.wait(max(0.0, ts - self._env.now))

    def paged(self) -> float | None:
        return self._env.paged_ts

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        answer = self._env.observe(sql)
        return answer.columns, answer.rows

    def act(self, action: str) -> None:
        self._env.act(action)
