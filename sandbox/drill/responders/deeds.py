"""What can be done to a stack without having looked at it: concrete actions, in a fixed order."""

from __future__ import annotations

from sandbox.base.errors import SandboxError
from sandbox.base.run import PROCESSES
from sandbox.drill.responders.env import DrillEnv
from sandbox.runtime.operate.actions import EDGES

SOURCES = ("ann", "covisit", "followed", "popular", "fresh")
RESTARTS = tuple(f"restart service={name}" for name in PROCESSES)
SWITCHED_OFF = tuple(f"disable-source source={name}" for name in SOURCES)
OTHER_PATHS = tuple(
    f"path caller={caller} callee={callee} path=b" for caller, callees in EDGES.items() for callee in callees
)
OLDEST = tuple(f"promote artifact={a} version={v}-0" for a, v in (("ranker", "rk"), ("two_tower", "tt")))


def reverts(env: DrillEnv) -> tuple[str, ...]:
    """A revert of every change on record, the latest first."""
    changes = env.observe("SELECT target, key, max(ts) AS ts FROM changes GROUP BY ALL ORDER BY ts DESC, 1, 2")
    return tuple(f"revert target={row['target']} key={row['key']}" for row in changes.records())


def tried(env: DrillEnv, action: str) -> bool:
    """Carries the action out; False where it is refused, as it may be for whoever acts blindly."""
    try:
        env.act(action)
    except SandboxError as refused:
        if refused.kind.code == "DRILL-006":
            raise  # time is up: that is no refusal of this action
        return False
    return True
