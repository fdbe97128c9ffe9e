"""Takes the first alert's name at face value."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.drill.play.report import Report
from sandbox.drill.responders import deeds
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.responders.observed import moment


class Reading(NamedTuple):
    """What a name says to somebody who asks no further. action: the reflex, None for none."""

    component: str
    mechanism: str
    action: str | None


_READINGS = {  # beginning of the alert's name
    "latency": Reading("gateway", "latency", "restart service=gateway"),
    "errors": Reading("gateway", "errors-from-callee", "restart service=gateway"),
    "degraded": Reading("gateway", "fallback-served", "restart service=gateway"),
    "empty-slates": Reading("retrieval", "source-empty", "restart service=retrieval"),
    "short-slates": Reading("retrieval", "source-empty", "restart service=retrieval"),
    "feature-age-user_profile": Reading("user_profile", "materialisation-stalled", None),
    "feature-age-item_stats": Reading("item_stats", "materialisation-stalled", None),
    "feature-age-user_session": Reading("user_session", "staleness", "restart service=features"),
    "ctr": Reading("ranker", "bad-model-promoted", None),
    "conversion": Reading("ranker", "bad-model-promoted", None),
}
# Paged by a person while every alert is green: then the alerts must be what is broken.
_GREEN = Reading("monitoring", "dead-metric", None)


class FirstAlert:
    """Reads the first alert that fired, does what one does by reflex, reports its name."""

    def respond(self, env: DrillEnv) -> Report:
        env.wait_for_page()
        fired = env.observe("SELECT ts, rule FROM alerts WHERE state = 'firing' ORDER BY ts LIMIT 1")
        paged = env.paged_ts
        assert paged is not None
        began, reading = paged, _GREEN
        if fired.rows:
            began, reading = moment(fired.first["ts"]), _reading(str(fired.first["rule"]))
        done = [reading.action] if reading.action and deeds.tried(env, reading.action) else []
        return Report.blaming(reading.component, reading.mechanism, began, detected_at=max(began, paged), actions=done)


def _reading(rule: str) -> Reading:
    names = [name for name in _READINGS if rule.startswith(name)]
    return _READINGS[max(names, key=len)] if names else _GREEN
