"""Where a drill stands, on either backend, and the hints that it has: read from its plan and journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sandbox.base.clock import iso
from sandbox.base.errors import SandboxError
from sandbox.drill.play import drills
from sandbox.drill.play.deeds import HINT_PRICE
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import Entry, first, public
from sandbox.drill.play.report import Report


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
        "pages": [{"ts": iso(e.world_ts), "text": e.fields["text"]} for e in seen if e.what == "page"],
        "hints_given": hints,
        "hints_left": len(scenario.hints) - len(hints),
        "actions": [{"ts": iso(e.world_ts), "action": e.fields["text"]} for e in seen if e.what == "action"],
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
        "DRILL-006",
        where="hint",
        seen=f"{given} given",
        expected=f"at most {hints}",
        fix="all hints are out: see `sandbox drill status`, or hand in what you have",
    )


def is_over(drill: Drill) -> bool:
    """Whether a report is in, it was given up, or it ended by itself."""
    entries = drill.entries()
    ends = (*(first(entries, what) for what in ("report", "abandoned")), first(entries, "phase", name="debrief"))
    return any(entry is not None for entry in ends) or drill.phase == "failed"


def filed_report(entries: list[Entry]) -> Report | None:
    """The report in the journal, None when there is none. Raises CFG-003 for one that this version cannot read."""
    entry = first(entries, "report")
    if entry is None:
        return None
    try:
        return Report.model_validate(entry.fields["report"])
    except ValidationError as error:
        wrong = error.errors()[0]
        raise SandboxError(
            "CFG-003", where="the drill's journal, report", seen=f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"[:200],
            expected="a report of this version's format", fix="run the drill again: sandbox drill start",
        ) from error  # fmt: skip


def require_running(drill: Drill) -> None:
    """Raises DRILL-006 where it does not, or a report was handed in."""
    running = drills.running_on(Path(drill.plan.run_dir))
    if running and not is_over(drill):
        return
    fix = "see the outcome: sandbox drill debrief; or start one: sandbox drill start NAME"
    if not is_over(drill):  # left, or its driver was killed
        again = "take it up again: sandbox drill attach; or "
        fix = f"{again if drill.plan.backend == 'virtual' else ''}give it up: sandbox drill debrief --abandon"
    raise SandboxError(
        "DRILL-006", where="drill", seen=f"phase {drill.phase}", expected="a drill that is running", fix=fix
    )
