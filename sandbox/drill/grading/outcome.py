"""What a drill that is over came to: its grade, or the debrief without marks of one that was given up."""

from __future__ import annotations

from typing import Any

from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.grading.abandoned import unmarked
from sandbox.drill.grading.marking import marked
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.standing import filed_report, is_over


def outcome(drill: Drill, progress: ProgressFn = quiet, *, twin: bool = True) -> dict[str, Any]:
    """The document of a grade, and of a drill that was given up the one without marks.

    twin: False grades at once, without running the drill's twin: impact and evidence then have no weight.
    Raises DRILL-006 while no report was handed in."""
    if is_over(drill) and filed_report(drill.entries()) is None:
        return unmarked(drill, with_twin=twin, progress=progress)
    return marked(drill, with_twin=twin, progress=progress)
