"""Starting, steering and ending a drill on a live stack: what the commands and the shell call."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from loadtest.runner import LOAD
from sandbox.base.clock import iso
from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.drill import marking, store, typed
from sandbox.drill.autopilot import respond
from sandbox.drill.journal import Entry, first, public
from sandbox.drill.live import stage_models
from sandbox.drill.report import Report, require_paged, within
from sandbox.drill.scenario import Scenario
from sandbox.drill.store import Drill
from sandbox.runtime.operations import Operations, wait_for
from sandbox.runtime.plan import require_seed, require_speed
from sandbox.runtime.rundir import disk_error
from sandbox.runtime.stack import ProgressFn, Stack, ensure_built, fresh_run_dir
from sandbox.runtime.threads import ONE_THREAD
from sandbox.telemetry.sql import SqlWorker

START_S = 60.0  # for the driver to begin, wall
END_S = 40.0  # for the driver to let go, wall


def start(
    scenario: Scenario, *, world: str | None, seed: int | None, speed: float | None, run_dir: Path | None,
    faults: bool, autopilot: bool, progress: ProgressFn,
) -> Drill:  # fmt: skip
    """Brings up a stack (or takes the one running in run_dir), and the drill's driver beside it.

    Returns when the drill's clock runs. Raises DRILL-004 and whatever a stack raises that does not come
    up; then nothing of it is left running.
    """
    require_speed(scenario.world_rate if speed is None else speed)
    seed = scenario.seed if seed is None else seed
    require_seed(seed)
    scenario = scenario.placed(seed)
    directory = (run_dir or fresh_run_dir()).absolute()
    if store.running_on(directory):
        raise store.occupied(directory)
    running = directory.is_dir() and Stack(directory).alive
    chosen = RunInfo.load(directory).world if running else world or scenario.world
    try:
        (directory / "registry").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(directory, error) from error
    world_dir = ensure_built(chosen, progress)
    stage_models(scenario, world_dir, directory / "registry", faults=faults, progress=progress)
    if running:
        stack = Stack(directory)
        _take_off_leftovers(stack)
    else:
        stack = Stack.up(
            chosen,
            speed=scenario.world_rate if speed is None else speed,
            run_dir=directory,
            seed=seed,
            progress=progress,
        )
    try:
        drill = store.create(scenario, run_dir=directory, seed=seed, faults=faults,
                             autopilot=autopilot, own_stack=not running, world=chosen)  # fmt: skip
        store.announce(drill)
        progress("starting the users", None)
        _drive(drill)
    except BaseException:  # Ctrl-C too: a stack that came up for this drill goes with it
        if not running:
            stack.down()
        raise
    return drill


def _take_off_leftovers(stack: Stack) -> None:
    """What a driver that was killed had armed on a stack that lives on."""
    with suppress(SandboxError):
        entries = store.of_run(stack.run_dir).entries()
        ended = {e.fields["id"] for e in entries if e.what == "disarmed"}
        for entry in entries:
            if entry.what == "armed" and entry.fields["id"] not in ended:
                service = str(entry.fields["target"]).partition("->")[0]
                if service != LOAD:  # the generator of traffic ended with its driver
                    stack.disarm(service, str(entry.fields["id"]))


def _drive(drill: Drill) -> None:
    with (drill.directory / "driver.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.drill.driver", str(drill.directory)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **ONE_THREAD},
        )  # fmt: skip

    def begun() -> bool:
        return process.poll() is not None or drill.phase in ("baseline", "failed")

    try:
        wait_for(begun, START_S, "the drill's driver", drill.directory)
        if process.poll() is not None or drill.phase == "failed":
            raise failure(drill)
    except BaseException:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        process.kill()  # does nothing to one that has ended
        raise


def failure(drill: Drill) -> SandboxError:
    """Why the driver gave up."""
    entry = first(drill.entries(), "phase", name="failed")
    told = (entry.fields.get("error") or {}) if entry else {}
    code = told.get("code", "DRILL-006")
    return SandboxError(
        code, where=str(told.get("where", "the drill's driver")), seen=told.get("seen", "it ended"),
        expected=str(told.get("expected", "a driver that runs until the report")),
        fix=str(told.get("fix", f"see {drill.directory / 'driver.log'}")),
    )  # fmt: skip


def status(drill: Drill, now: float | None = None) -> dict[str, Any]:
    """Where the drill stands, as its trainee may know: {drill, title, phase, world_time, elapsed_s,
    left_s, pages, hints_given, hints_left, actions}. Seconds are of world time. now: world seconds; None
    for the drill's own. A drill that is over stands where it ended."""
    entries, scenario, began = drill.entries(), drill.scenario, drill.began()
    seen = public(entries)
    ended = first(entries, "phase", name="debrief")
    if ended is not None:
        now = ended.world_ts
    elif now is None:
        now = drill.now()
    elapsed = now - began if began is not None else 0.0
    hints = [str(e.fields["text"]) for e in seen if e.what == "hint"]
    return {
        "drill": drill.plan.drill,
        "title": scenario.title,
        "phase": drill.phase,
        "world_time": iso(now),
        "elapsed_s": round(elapsed),
        "left_s": round(max(0.0, scenario.length_s - elapsed)) if ended is None else 0,
        "pages": [
            {"ts": iso(e.world_ts), "text": e.fields["text"]} for e in seen if e.what == "page"
        ],
        "hints_given": hints,
        "hints_left": len(scenario.hints) - len(hints),
        "actions": [
            {"ts": iso(e.world_ts), "action": e.fields["text"]} for e in seen if e.what == "action"
        ],
    }


def hint(drill: Drill, now: float | None = None) -> str:
    """The next hint, noted in the journal at `now` (None: the drill's own). Raises DRILL-006 when there is none left or no drill."""
    _require_running(drill)
    given = sum(e.what == "hint" for e in drill.entries())
    hints = drill.scenario.hints
    if given >= len(hints):
        raise SandboxError(
            "DRILL-006", where="hint", seen=f"{given} given", expected=f"at most {len(hints)}",
            fix="all hints are out: see `sandbox drill status`, or hand in what you have",
        )  # fmt: skip
    now = drill.now() if now is None else now
    drill.journal.append(now, "trainee", "hint", text=hints[given])
    return hints[given]


def file_report(
    drill: Drill, report: Report, progress: ProgressFn = lambda _what, _share: None, *, twin: bool = True
) -> dict[str, Any]:  # fmt: skip
    """Hands the report in, waits until the drill has closed, and returns the grade's document. twin: see
    `grade`.

    Raises DRILL-003 for times outside the drill, DRILL-006 when it does not run.
    """
    hand_in(drill, report)
    return grade(drill, progress, twin=twin)


def hand_in(drill: Drill, report: Report) -> None:
    """Hands the report in and waits until the drill has closed. Raises as `file_report`."""
    _require_running(drill)
    now, began = drill.run.clock().now(), drill.began()
    assert began is not None
    require_paged(drill.paged())
    within(report, began, now)
    drill.journal.append(now, "trainee", "report", report=report.model_dump(mode="json"))
    with suppress(
        SandboxError
    ):  # a driver that was killed closes nothing: the grade stands all the same
        wait_for(
            lambda: not store.running_on(Path(drill.plan.run_dir)),
            END_S,
            "the drill",
            drill.directory,
        )


def grade(
    drill: Drill, progress: ProgressFn = lambda _what, _share: None, *, twin: bool = True
) -> dict[str, Any]:  # fmt: skip
    """The grade of the report that was handed in. twin: False grades at once, without running the drill's
    twin: impact and evidence then have no weight. Raises DRILL-006 when no report was."""
    return marking.marked(drill, with_twin=twin, progress=progress)


def filed_report(entries: list[Entry]) -> Report | None:
    """The report in the journal, None when there is none."""
    entry = first(entries, "report")
    return Report.model_validate(entry.fields["report"]) if entry else None


def autopilot(drill: Drill, say: Callable[[str], None]) -> None:
    """Lets the scripted responder answer the drill, and hands its report in."""
    began = drill.began()
    assert began is not None
    desk = LiveDesk(drill)
    try:
        report, _ = respond(drill.scenario, desk, began, say)
    finally:
        desk.close()
    hand_in(drill, report)


class LiveDesk:
    """The responder's desk at a live stack: each way out is one that a person has too."""

    def __init__(self, drill: Drill) -> None:
        self._drill, self._run = drill, drill.run
        self._clock, self._sql = self._run.clock(), SqlWorker(self._run.lake)

    def now(self) -> float:
        return self._clock.now()

    def wait_until(self, ts: float) -> None:
        """Returns at that world time. Raises DRILL-006 when the drill ends before."""
        while (left := ts - self._clock.now()) > 0:
            if not store.running_on(Path(self._drill.plan.run_dir)):
                raise failure(self._drill)
            asyncio.run(self._clock.wait_until(ts - max(0.0, left - 0.5 * self._run.speed)))

    def paged(self) -> float | None:
        return self._drill.paged()

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        answer = self._sql.query(sql)
        return answer.columns, answer.rows

    def act(self, action: str) -> None:
        typed.act(action, Operations(self._run))

    def close(self) -> None:
        self._sql.close()


def _require_running(drill: Drill) -> None:
    if not store.running_on(Path(drill.plan.run_dir)) or first(drill.entries(), "report"):
        raise SandboxError(
            "DRILL-006", where="drill", seen=f"phase {drill.phase}", expected="a drill that is running",
            fix="see the outcome: sandbox drill debrief; or start one: sandbox drill start NAME",
        )  # fmt: skip
