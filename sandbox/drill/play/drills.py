"""Where a drill lies: SANDBOX_HOME/drills/<id>/, apart from the run directory, which holds no truth.

drills/<id>/plan.json      what was started; sealed in it: the scenario as it was, whether faults were left out
drills/<id>/journal.jsonl  what happened; what the trainee may not know yet is sealed
drills/<id>/key            opens both: see sandbox.drill.play.seal
drills/<id>/opened/        both once more, for people to read, from the debrief on
RUN/drill.json             the id alone, for whoever has the run directory
RUN/drill.lock             held by the driver for as long as the drill runs
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.locks import at_once, is_held
from sandbox.base.run import DRILL_LOCK, RunInfo, latest_run, newest_run, write_atomically
from sandbox.drill.play.journal import Entry, Journal, first, phase, plain
from sandbox.drill.play.seal import Seal
from sandbox.drill.scenario.scenario import Scenario

SECRET = ("scenario", "faults")  # fields of a plan that are sealed


@dataclass(frozen=True)
class Plan:
    """scenario: as it was when the drill was started. world: its name. seed: of load and rolls. faults:
    False leaves them out. autopilot: the scripted responder answers. own_stack: the drill brought the
    stack up. backend: live or virtual."""

    drill: str
    scenario: dict[str, Any]
    seed: int
    faults: bool
    run_dir: str
    autopilot: bool
    own_stack: bool
    world: str
    backend: str


@dataclass(frozen=True)
class Drill:
    """One drill on disk."""

    directory: Path

    @property
    def plan(self) -> Plan:
        """Raises CFG-003 for a plan of another format, OSError and ValueError for none."""
        told = json.loads((self.directory / "plan.json").read_text())
        if isinstance(told, dict) and "sealed" in told:  # plans of before stand plain
            told |= self._opened(str(told.pop("sealed")))
        names = {f.name for f in fields(Plan)}
        if not isinstance(told, dict) or set(told) != names:
            missing = sorted(names - set(told)) if isinstance(told, dict) else sorted(names)
            raise self._malformed(
                f"without {', '.join(missing)}" if missing else f"with {sorted(set(told) - names)}",
                "a drill of this version's format",
            )
        return Plan(**told)

    def _opened(self, sealed: str) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(Seal.beside(self.directory).open(sealed))
        except ValueError as error:
            raise self._malformed(str(error), "a plan that the key beside it opens") from error
        return told

    def _malformed(self, seen: str, expected: str) -> SandboxError:
        return SandboxError(
            "CFG-003",
            where=str(self.directory / "plan.json"),
            seen=seen,
            expected=expected,
            fix="run the drill again: sandbox drill start",
        )

    @property
    def scenario(self) -> Scenario:
        return Scenario.model_validate(self.plan.scenario)

    @property
    def journal(self) -> Journal:
        return Journal(self.directory / "journal.jsonl")

    @property
    def run(self) -> RunInfo:
        return RunInfo.load(Path(self.plan.run_dir))

    def entries(self) -> list[Entry]:
        return self.journal.read()

    def unseal(self) -> None:
        """Lays plan and journal down readable, in `opened/`: for people, once the drill is over. What was
        sealed stays as it is, as somebody may be appending still. On a full disk it is left out."""
        opened = self.directory / "opened"
        with suppress(OSError):
            opened.mkdir(exist_ok=True, mode=0o700)
            lines = b"".join(plain(entry) + b"\n" for entry in self.entries())
            write_atomically(opened / "journal.jsonl", lines.decode())
            write_atomically(opened / "plan.json", json.dumps(asdict(self.plan), indent=1))

    @property
    def phase(self) -> str:
        return phase(self.entries())

    def began(self) -> float | None:
        """World seconds since the epoch at which its clock began, None before."""
        entry = first(self.entries(), "phase", name="baseline")
        return entry.world_ts if entry else None

    def paged(self) -> float | None:
        """World seconds since the epoch at which the page came, None before."""
        entry = first(self.entries(), "page")
        return entry.world_ts if entry else None

    def now(self) -> float:
        """World seconds since the epoch: by the clock of a live stack. A virtual one has none that another
        process could read: what came last tells where it is."""
        entries = self.entries() if self.run.backend == "virtual" else []
        return entries[-1].world_ts if entries else self.run.clock().now()

    def times(self, now: float) -> dict[str, float | None]:
        """What `$began`, `$paged` and `$now` stand for in a query asked at `now`: world seconds since the
        epoch, None where there was none yet."""
        return {"began": self.began(), "paged": self.paged(), "now": now}


def root() -> Path:
    return paths.home() / "drills"


def create(
    scenario: Scenario,
    *,
    run_dir: Path,
    seed: int,
    faults: bool,
    autopilot: bool,
    own_stack: bool,
    world: str | None = None,
    backend: str = "live",
) -> Drill:
    """A fresh drill directory, readable by this user alone. Raises DRILL-004 where one is running.
    world: None for the scenario's own."""
    if running_on(run_dir):
        raise occupied(run_dir)
    name = paths.fresh_name()
    directory = root() / name
    directory.mkdir(parents=True, mode=0o700)
    plan = Plan(
        name, scenario.model_dump(mode="json"), seed, faults, str(run_dir), autopilot, own_stack,
        world or scenario.world, backend,
    )  # fmt: skip
    told = asdict(plan)
    secret = json.dumps({name: told.pop(name) for name in SECRET})
    told["sealed"] = Seal.beside(directory).close(secret.encode())
    write_atomically(directory / "plan.json", json.dumps(told, indent=1))
    return Drill(directory)


def debriefed() -> set[str]:
    """Ids of the scenarios of which a drill has had its debrief here."""
    known = set()
    for opened in root().glob("*/opened/plan.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            known.add(str(json.loads(opened.read_text())["scenario"]["id"]))
    return known


def announce(drill: Drill) -> None:
    """Leaves the drill's id in its run directory."""
    write_atomically(Path(drill.plan.run_dir) / "drill.json", json.dumps({"drill": drill.plan.drill}))


def of_run(run_dir: Path | None) -> Drill:
    """The latest drill of a run directory, by default of the latest run. Raises DRILL-006."""
    where = run_dir or latest_run()
    if run_dir is None and not (where / "drill.json").exists():
        where = newest_run()  # a plain stack is up beside a drill that is over
    try:
        name = str(json.loads((where / "drill.json").read_text())["drill"])
        drill = Drill(root() / Path(name).name)
        _ = drill.plan
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SandboxError(
            "DRILL-006",
            where="drill",
            seen=str(where),
            expected="a run directory with a drill",
            fix="start one: sandbox drill start NAME",
        ) from error
    return drill


def occupied(run_dir: Path) -> SandboxError:
    return SandboxError(
        "DRILL-004",
        where="run directory",
        seen=str(run_dir),
        expected="no drill running on that stack",
        fix="end it first (sandbox drill report, or sandbox down), or start with another --run-dir",
    )


def running_on(run_dir: Path) -> bool:
    """True while a driver holds the lock of that run directory."""
    return is_held(run_dir / DRILL_LOCK)


@contextmanager
def lock(run_dir: Path) -> Iterator[None]:
    """Holds the lock of a run directory. Raises DRILL-004 when another drill has it."""
    with ExitStack() as held:
        try:
            held.enter_context(at_once(run_dir / DRILL_LOCK))
        except BlockingIOError as error:
            raise occupied(run_dir) from error
        yield
