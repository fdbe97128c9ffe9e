"""The engine of a drill: what of the timeline is due, what ends a fault, when the page is sent.

It knows no process and no socket: a `Backend` carries out what it decides, so that the same engine runs
on a live stack and in a test. Everything it does is in the journal, and it goes on from the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

from faults.catalogue import fault_named
from sandbox.base.errors import SandboxError
from sandbox.drill.play.deeds import ActionTaken
from sandbox.drill.play.journal import Journal, first
from sandbox.drill.scenario.scenario import Scenario, Step
from services.skeleton.points import STAGES

GRACE = 2.0  # times its length after which a drill without a report ends by itself


@dataclass(frozen=True)
class Alert:
    """A change of state of an alert. ts: world seconds since the epoch."""

    ts: float
    rule: str
    state: str


class Backend(Protocol):
    """What the engine has done on a stack."""

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None: ...
    def disarm(self, name: str, service: str) -> None: ...
    def release(self, step: Step, seed: int, faulty: bool) -> str: ...
    def note(self, step: Step) -> str: ...
    def actions(self) -> list[ActionTaken]: ...  # at_s: world seconds since the epoch
    def alerts(self, since_ts: float) -> list[Alert]: ...


@dataclass
class Engine:
    """One drill. began_ts: world seconds since the epoch at its beginning. faults: False leaves them
    out; whatever else the timeline holds happens all the same, crowds and campaigns included."""

    scenario: Scenario
    backend: Backend
    journal: Journal
    began_ts: float
    seed: int
    faults: bool = True
    _done: int = 0  # steps carried out
    _armed: dict[str, Step] = field(default_factory=dict)
    _seen_actions: int = 0
    _paged: bool = False
    _over: bool = False
    _timed_out: bool = False

    def begin(self) -> None:
        """Opens the journal: briefing, then the baseline, in which nothing is wrong yet."""
        self.journal.append(self.began_ts, "engine", "phase", name="briefing")
        self.journal.append(self.began_ts, "engine", "phase", name="baseline")

    def tick(self, now_ts: float) -> bool:
        """Does what is due by `now_ts`, world seconds since the epoch. False when the drill is over."""
        if self._over:
            return False
        at_s = now_ts - self.began_ts
        self._follow_actions(now_ts)
        self._end_in_time(now_ts, at_s)
        while self._done < len(self.scenario.timeline):
            step = self.scenario.timeline[self._done]
            if step.at_s > at_s:
                break
            self._done += 1
            self._carry_out(step, now_ts)
        self._page_when_due(now_ts, at_s)
        if at_s >= self.scenario.length_s and not self._timed_out:
            self._timed_out = True
            self.journal.append(now_ts, "engine", "phase", name="report", why="time is up")
        said = (w for w in ("report", "abandoned") if first(self.journal.read(), w) is not None)
        why = next(said, "no report came" if at_s >= GRACE * self.scenario.length_s else None)
        if why is not None:
            self.finish(now_ts, why)
        return not self._over

    def finish(self, now_ts: float, why: str) -> None:
        """Takes every fault off that can be, and closes the drill. Once is enough."""
        if self._over:
            return
        self._over = True
        for name in list(self._armed):
            try:
                self._disarm(name, now_ts, why)
            except SandboxError as error:  # the others must come off all the same
                self.journal.append(now_ts, "engine", "failure", why=str(error))
        self.journal.append(now_ts, "engine", "phase", name="debrief", why=why)

    def _carry_out(self, step: Step, now_ts: float) -> None:
        name = f"w{self._done}"
        fields: dict[str, Any] = {"target": step.target, "number": self._done}
        faulty = self.faults or step.anyway
        if step.change is not None:
            fields["change"] = self.backend.note(step)
        if step.release is not None:
            fields["release"] = self.backend.release(step, self.seed, faulty)
        self.journal.append(now_ts, "colleague", "step", **fields)
        if step.fault is None or not faulty:
            return
        kind = fault_named(step.fault.name)
        if kind.seam not in STAGES:
            spec = step.spec(self.seed).model_dump(mode="json")
            self.backend.arm(name, step.service, spec)
            self._armed[name] = step
        if step.harmful:
            self.journal.append(now_ts, "engine", "armed", id=name, fault=kind.name, target=step.target)

    def _disarm(self, name: str, now_ts: float, why: str) -> None:
        step = self._armed.pop(name)
        self.backend.disarm(name, step.service)
        self.journal.append(now_ts, "engine", "disarmed", id=name, why=why)

    def _end_in_time(self, now_ts: float, at_s: float) -> None:
        """Takes off what ends by itself."""
        for name, step in list(self._armed.items()):
            if step.until_s is not None and step.until_s <= at_s:
                self._disarm(name, now_ts, "its time was over")

    def _follow_actions(self, now_ts: float) -> None:
        actions = self.backend.actions()
        for action in actions[self._seen_actions :]:
            self.journal.append(action.at_s, "trainee", "action", text=action.text, forms=action.forms)
            for name, step in list(self._armed.items()):
                if action.is_one_of(step.ends_on):
                    self._disarm(name, now_ts, action.text)
        self._seen_actions = len(actions)

    def _page_when_due(self, now_ts: float, at_s: float) -> None:
        if self._paged:
            return
        pager, why = self.scenario.pager, "it was time"
        due = at_s >= pager.at_s
        if pager.kind == "alert" and not due:
            since = self.began_ts + (self.scenario.truth.onset_s or 0.0)
            for alert in self.backend.alerts(since) if now_ts >= since else []:
                if alert.state == "firing" and fnmatchcase(alert.rule, pager.rule):
                    due, why = True, f"alert {alert.rule} fires"
                    break
        if due:
            self._paged = True
            self.journal.append(now_ts, "engine", "page", kind=pager.kind, text=pager.text, why=why)
            self.journal.append(now_ts, "engine", "phase", name="incident")
