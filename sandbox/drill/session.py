"""Starting, steering and ending a drill on a live stack: what the commands and the shell call."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from loadtest.runner import LOAD
from sandbox.base.clock import iso
from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.drill import marking, store
from sandbox.drill.abandoned import unmarked
from sandbox.drill.grading import HINT_PRICE
from sandbox.drill.journal import Entry, first, public
from sandbox.drill.live import stage_models
from sandbox.drill.report import Report, require_paged, within
from sandbox.drill.scenario import Scenario
from sandbox.drill.store import Drill
from sandbox.runtime.operations import wait_for
from sandbox.runtime.plan import require_seed, require_speed
from sandbox.runtime.rundir import disk_error
from sandbox.runtime.stack import ProgressFn, Stack, ensure_built, fresh_run_dir
from sandbox.runtime.threads import ONE_THREAD

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
    require_running(drill)
    given = sum(e.what == "hint" for e in drill.entries())
    hints = drill.scenario.hints
    if given >= len(hints):
        raise _no_hints(given, len(hints))
    now = drill.now() if now is None else now
    drill.journal.append(now, "trainee", "hint", text=hints[given])
    return hints[given]


def hint_offer(drill: Drill) -> str:
    """What the next hint costs, as a question. Raises DRILL-006 when there is none left or no drill."""
    require_running(drill)
    given, hints = sum(e.what == "hint" for e in drill.entries()), len(drill.scenario.hints)
    if given >= hints:
        raise _no_hints(given, hints)
    which = f"hint {given + 1} of {hints}"
    return f"{which} costs {HINT_PRICE:.0%} of the whole score, whatever you do with it. Take it, yes or no?"


def _no_hints(given: int, hints: int) -> SandboxError:
    return SandboxError(
        "DRILL-006", where="hint", seen=f"{given} given", expected=f"at most {hints}",
        fix="all hints are out: see `sandbox drill status`, or hand in what you have",
    )  # fmt: skip


def file_report(
    drill: Drill, report: Report, progress: ProgressFn = lambda _what, _share: None, *, twin: bool = True
) -> dict[str, Any]:  # fmt: skip
    """Hands the report in, waits until the drill has closed, and returns the grade's document. twin: see
    `grade`.

    Raises DRILL-003 for times outside the drill, DRILL-006 when it does not run.
    """
    progress("handing the report in", None)
    hand_in(drill, report)
    _let_stack_go(drill, progress)
    return grade(drill, progress, twin=twin)


def abandon(
    drill: Drill, progress: ProgressFn = lambda _what, _share: None, *, twin: bool = True
) -> dict[str, Any]:  # fmt: skip
    """Ends a drill without a report: a live one that runs, or one whose process has ended. Returns the
    document of its debrief. Raises DRILL-006 for one that is over, DRILL-004 for a virtual one that another
    process holds."""
    running = store.running_on(Path(drill.plan.run_dir))
    if is_over(drill):
        require_running(drill)
    if running and drill.plan.backend == "virtual":
        raise store.occupied(Path(drill.plan.run_dir))
    # The clock of a stack whose driver was killed runs on: the drill ended where its journal does.
    entries = drill.entries()
    now = drill.now() if running or not entries else entries[-1].world_ts
    drill.journal.append(now, "trainee", "abandoned")
    if running:
        _until_closed(drill)
    _let_stack_go(drill, progress)
    return grade(drill, progress, twin=twin)


def is_over(drill: Drill) -> bool:
    """Whether a report is in, it was given up, or it ended by itself."""
    entries = drill.entries()
    ends = (
        *(first(entries, what) for what in ("report", "abandoned")),
        first(entries, "phase", name="debrief"),
    )
    return any(entry is not None for entry in ends) or drill.phase == "failed"


def _let_stack_go(drill: Drill, progress: ProgressFn) -> None:
    """The stack that came up for the drill, which is over: the twin needs its cores."""
    stack = Stack(Path(drill.plan.run_dir))
    if drill.plan.own_stack and drill.plan.backend == "live" and stack.alive:
        progress("taking the stack down", None)
        stack.down()


def hand_in(drill: Drill, report: Report) -> None:
    """Hands the report in and waits until the drill has closed. Raises as `file_report`."""
    require_running(drill)
    now, began = drill.run.clock().now(), drill.began()
    assert began is not None
    require_paged(drill.paged())
    within(report, began, now)
    drill.journal.append(now, "trainee", "report", report=report.model_dump(mode="json"))
    _until_closed(drill)


def _until_closed(drill: Drill) -> None:
    with suppress(
        SandboxError
    ):  # a driver that was killed closes nothing: what was said stands all the same
        wait_for(
            lambda: not store.running_on(Path(drill.plan.run_dir)),
            END_S,
            "the drill",
            drill.directory,
        )


def grade(
    drill: Drill, progress: ProgressFn = lambda _what, _share: None, *, twin: bool = True
) -> dict[str, Any]:  # fmt: skip
    """The grade of the report that was handed in, of a drill that was given up the debrief without marks.
    twin: False grades at once, without running the drill's twin: impact and evidence then have no weight.
    Raises DRILL-006 while no report was handed in."""
    if is_over(drill) and filed_report(drill.entries()) is None:
        return unmarked(drill, with_twin=twin, progress=progress)
    return marking.marked(drill, with_twin=twin, progress=progress)


def filed_report(entries: list[Entry]) -> Report | None:
    """The report in the journal, None when there is none."""
    entry = first(entries, "report")
    return Report.model_validate(entry.fields["report"]) if entry else None


def require_running(drill: Drill) -> None:
    """Raises DRILL-006 where it does not, or a report was handed in."""
    running = store.running_on(Path(drill.plan.run_dir))
    if running and not is_over(drill):
        return
    fix = "see the outcome: sandbox drill debrief; or start one: sandbox drill start NAME"
    if not is_over(drill):  # left, or its driver was killed
        again = "take it up again: sandbox drill attach; or "
        fix = f"{again if drill.plan.backend == 'virtual' else ''}give it up: sandbox drill debrief --abandon"
    raise SandboxError(
        "DRILL-006", where="drill", seen=f"phase {drill.phase}", expected="a drill that is running", fix=fix
    )  # fmt: skip
