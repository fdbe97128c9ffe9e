"""What is really wrong in a drill, for its instructor. Nothing but the instructor's projection is handed this."""

from __future__ import annotations

from typing import Any

from sandbox.drill.play import by_hand
from sandbox.drill.play.drills import Drill

_DOINGS = ("armed", "disarmed", "step", "phase", "failure")


def told(drill: Drill) -> dict[str, Any]:
    """The scenario's answer, and what the engine has done of its timeline so far. Times: world seconds since the drill
    began where a name ends in `_s`, since the epoch in `_ts`."""
    scenario = drill.scenario
    dumped = scenario.model_dump(mode="json")
    parts = ("id", "stars", "truth", "timeline", "accept", "penalise", "hints", "teaches", "precedent", "explanation")
    return {
        **{part: dumped[part] for part in parts},
        "evidence": [{"id": e["id"], "claim": e["claim"], "sql": e["sql"]} for e in dumped["evidence"]],
        "faults": drill.plan.faults,
        "by_hand": by_hand.told(drill.entries()),
        "done": [
            {"world_ts": e.world_ts, "what": e.what, **e.fields} for e in drill.entries() if e.what in _DOINGS
        ],
    }  # fmt: skip
