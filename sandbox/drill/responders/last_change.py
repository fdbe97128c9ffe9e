"""Blames the last change before the page, and takes it back."""

from __future__ import annotations

from sandbox.drill.play.report import Report
from sandbox.drill.responders import deeds
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.responders.observed import moment
from sandbox.drill.scenario import taxonomy

_MECHANISMS = {  # target of a change -> what is first thought of
    "gateway": "slow-edge", "features": "slow-callee", "retrieval": "recall-collapse",
    "ranking": "feature-contract", "model": "bad-model-promoted", "rules": "overblocking",
    "events": "events-lost", "stream": "stream-lag",
}  # fmt: skip


class LastChange:
    """It must have been the deploy."""

    def respond(self, env: DrillEnv) -> Report:
        env.wait_for_page()
        last = env.observe(
            "SELECT ts, target, key FROM changes WHERE ts >= $began AND ts <= $paged ORDER BY ts DESC LIMIT 1"
        ).first
        if not last:
            return Report(incident=False)
        target, key = str(last["target"]), str(last["key"])
        component = next((c for c in (key, target) if c in taxonomy.COMPONENTS), "gateway")
        action = f"revert target={target} key={key}"
        done = [action] if deeds.tried(env, action) else []
        return Report.blaming(
            component, _MECHANISMS.get(target, "slow-edge"), moment(last["ts"]), detected_at=env.paged_ts, actions=done
        )
