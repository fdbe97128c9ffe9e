"""A small scenario, a stage and a desk without processes, for the tests of drills."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.drill.play.deeds import ActionTaken
from sandbox.drill.play.engine import Alert
from sandbox.drill.responders.observed import Rows
from sandbox.drill.scenario.patterns import parse_action
from sandbox.drill.scenario.scenario import Scenario, Step

DOCUMENT: dict[str, Any] = {
    "id": "small-drill", "title": "A small drill", "stars": 1, "minutes": 10, "world_rate": 60,
    "briefing": "You are on call.",
    "pager": {"kind": "alert", "rule": "*latency*", "at_s": 4000, "text": "PAGE latency"},
    "timeline": [
        {"at_s": 600, "target": "gateway", "change": {"key": "banner", "new": "autumn"}},
        {"at_s": 1200, "target": "stream", "fault": {"name": "session-stream-lag", "params": {"lag_s": 900}},
         "ends_on": ["restart service=stream"]},
        {"at_s": 1800, "target": "model",
         "release": {"key": "max_batch", "new": "512", "patches": {"model": {"max_batch": 512}}}},
    ],
    "truth": {"incident": True, "component": "stream", "mechanism": "stream-lag", "onset_s": 1200,
              "segment": {"region": "EU"}},
    "evidence": [{"id": "it-lags", "claim": "it lags", "sql": "select 1 as lag_s, $now as onset",
                  "predicate": "lag_s > 300"}],
    "evidence_by_s": 9000,
    "accept": ["restart service=stream"],
    "penalise": ["restart service=redis", "promote artifact=*"],
    "hints": ["one", "two", "three"],
    "teaches": "x", "precedent": "y", "explanation": "z",
}  # fmt: skip


def scenario(**changes: Any) -> Scenario:
    return Scenario.model_validate({**DOCUMENT, **changes})


def deed(at_s: float, text: str, effects: tuple[str, ...] = ()) -> ActionTaken:
    return ActionTaken.of(at_s, *parse_action(text), effects)


@dataclass
class FakeBackend:
    """Writes down what it is asked; hands out the alerts and actions it was given."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    done: list[ActionTaken] = field(default_factory=list)
    fires: list[Alert] = field(default_factory=list)

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None:
        self.asked.append(("arm", service, spec["fault"]))

    def disarm(self, name: str, service: str) -> None:
        self.asked.append(("disarm", service))

    def release(self, step: Step, seed: int, faulty: bool) -> str:
        assert step.release is not None
        self.asked.append(("release", step.release.key, faulty))
        return "old -> new"

    def note(self, step: Step) -> str:
        assert step.change is not None
        self.asked.append(("note", step.change.key))
        return "noted"

    def actions(self) -> list[ActionTaken]:
        return self.done

    def alerts(self, since_ts: float) -> list[Alert]:
        return [alert for alert in self.fires if alert.ts >= since_ts]


@dataclass
class FakeDesk:
    """Answers queries from a function of world time; waiting moves the clock at once. What is asked to
    size the harm (of impressions and their clicks, `ic`) finds nothing."""

    answer: Any  # world seconds since the epoch -> (columns, rows)
    clock: float = 0.0
    page_at: float = 0.0
    acted: list[tuple[float, str]] = field(default_factory=list)

    def now(self) -> float:
        return self.clock

    def wait(self, until_ts: float) -> None:
        assert until_ts > self.clock
        self.clock = until_ts

    def paged(self) -> float | None:
        return self.page_at if self.clock >= self.page_at else None

    def ask(self, sql: str) -> Rows:
        return Rows(["side"], []) if " ic " in sql else Rows(*self.answer(self.clock))

    def act(self, action: str) -> None:
        self.acted.append((self.clock, action))
