"""A drill on a live stack: how it is started and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from loadtest.runner import LOAD
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.base.run import RunInfo
from sandbox.drill.play import drills
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import first
from sandbox.drill.play.models import stage_models
from sandbox.drill.play.report import Report, require_paged, within
from sandbox.drill.play.standing import is_over, require_running
from sandbox.drill.scenario.scenario import Scenario
from sandbox.runtime.local.plan import require_seed, require_speed
from sandbox.runtime.operate.operations import wait_for
from sandbox.runtime.rundir import disk_error, set_aside_earlier
from sandbox.runtime.stack import Stack, ensure_built, fresh_run_dir
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
    if drills.running_on(directory):
        raise drills.occupied(directory)
    running = directory.is_dir() and Stack(directory).alive
    chosen = RunInfo.load(directory).world if running else world or scenario.world
    if not running:
        set_aside_earlier(directory)
    try:
        (directory / "registry").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(directory, error) from error
    world_dir = ensure_built(chosen, progress)
    stage_models(scenario, world_dir, directory / "registry", faults=faults, progress=progress)
    if running:
        stack = Stack(directory)
        _take_off_leftovers(stack)
        _require_settings(scenario, directory)
    else:
        stack = Stack.up(
            chosen,
            speed=scenario.world_rate if speed is None else speed,
            run_dir=directory,
            seed=seed,
            config=scenario.config,
            progress=progress,
        )
    try:
        drill = drills.create(scenario, run_dir=directory, seed=seed, faults=faults,
                             autopilot=autopilot, own_stack=not running, world=chosen)  # fmt: skip
        drills.announce(drill)
        progress("starting the users", None)
        _drive(drill)
    except BaseException:  # Ctrl-C too: a stack that came up for this drill goes with it
        if not running:
            stack.down()
        raise
    return drill


def _require_settings(scenario: Scenario, run_dir: Path) -> None:
    """Of a stack that runs already. Raises CFG-001 where it has not those that the scenario begins with."""
    there, wanted = Config.load(run_dir), scenario.config
    replicas = {service: {"replicas": n} for service, n in scenario.replicas.items()}
    for service, settings in (*scenario.settings.items(), *replicas.items()):
        for name in settings:
            has, needs = getattr(getattr(there, service), name), getattr(getattr(wanted, service), name)
            if has != needs:
                raise SandboxError(
                    "CFG-001",
                    where=f"{service}.{name} of the stack in {run_dir}",
                    seen=has,
                    expected=f"{needs}, with which the scenario begins",
                    fix="end that stack (sandbox down), so that the drill starts one of its own",
                )


def _take_off_leftovers(stack: Stack) -> None:
    """What a driver that was killed had armed on a stack that lives on."""
    with suppress(SandboxError):
        entries = drills.of_run(stack.run_dir).entries()
        ended = {e.fields["id"] for e in entries if e.what == "disarmed"}
        for entry in entries:
            if entry.what == "armed" and entry.fields["id"] not in ended:
                service = str(entry.fields["target"]).partition("->")[0]
                if service != LOAD:  # the generator of traffic ended with its driver
                    stack.disarm(service, str(entry.fields["id"]))


def _drive(drill: Drill) -> None:
    with (drill.directory / "driver.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.drill.play.driver", str(drill.directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **ONE_THREAD},
        )

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
        code,
        where=str(told.get("where", "the drill's driver")),
        seen=told.get("seen", "it ended"),
        expected=str(told.get("expected", "a driver that runs until the report")),
        fix=str(told.get("fix", f"see {drill.directory / 'driver.log'}")),
    )


def hand_in(drill: Drill, report: Report) -> None:
    """Hands the report in and waits until the drill has closed. Raises DRILL-003 for times outside
    the drill, DRILL-006 when it does not run."""
    require_running(drill)
    now, began = drill.run.clock().now(), drill.began()
    assert began is not None
    require_paged(drill.paged())
    within(report, began, now)
    drill.journal.append(now, "trainee", "report", report=report.model_dump(mode="json"))
    _until_closed(drill)


def give_up(drill: Drill) -> None:
    """Ends a drill without a report: one that runs, or one whose process has ended. Raises DRILL-006 for one that
    is over, DRILL-004 for a virtual one that another process holds."""
    running = drills.running_on(Path(drill.plan.run_dir))
    if is_over(drill):
        require_running(drill)
    if running and drill.plan.backend == "virtual":
        raise drills.occupied(Path(drill.plan.run_dir))
    # The clock of a stack whose driver was killed runs on: the drill ended where its journal does.
    entries = drill.entries()
    now = drill.now() if running or not entries else entries[-1].world_ts
    drill.journal.append(now, "trainee", "abandoned")
    if running:
        _until_closed(drill)


def let_stack_go(drill: Drill, progress: ProgressFn) -> None:
    """The stack that came up for the drill, which is over: the twin needs its cores."""
    stack = Stack(Path(drill.plan.run_dir))
    if drill.plan.own_stack and drill.plan.backend == "live" and stack.alive:
        progress("taking the stack down", None)
        stack.down()


def _until_closed(drill: Drill) -> None:
    with suppress(SandboxError):  # a driver that was killed closes nothing: what was said stands all the same
        wait_for(lambda: not drills.running_on(Path(drill.plan.run_dir)), END_S, "the drill", drill.directory)
