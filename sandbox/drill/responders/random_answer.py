"""Draws its answer and its action from all there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.base.streams import stream
from sandbox.drill.play.report import NamedCause, Report
from sandbox.drill.responders import deeds
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.scenario import segments, taxonomy


class RandomAnswer:
    """Every part uniformly from the public words; the same drill and seed draw the same."""

    def respond(self, env: DrillEnv) -> Report:
        env.wait_for_page()
        draw = stream(env.seed, f"responder/random/{env.name}")
        mechanism = _one(draw, list(taxonomy.MECHANISMS))
        component = _one(draw, [c for c in taxonomy.COMPONENTS if c != taxonomy.NONE])
        segment = self._segment(env, draw)
        actions = ["", *deeds.RESTARTS, *deeds.SWITCHED_OFF, *deeds.OTHER_PATHS, *deeds.OLDEST,
                   "skip-backlog", "rebuild-index", *deeds.reverts(env)]  # fmt: skip
        action = _one(draw, actions)
        done = [action] if action and deeds.tried(env, action) else []
        confidence = float(draw.random())
        if taxonomy.family_of(mechanism) == "benign":
            explained = (NamedCause(mechanism=mechanism),)
            return Report(incident=False, causes=explained, actions=done, confidence=confidence)
        started = env.began + float(draw.random()) * (env.now - env.began)
        return Report.blaming(component, mechanism, started, segment, actions=done, confidence=confidence)

    def _segment(self, env: DrillEnv, draw: np.random.Generator) -> dict[str, str | list[str]]:
        """Everyone, or one value of one column."""
        column = _one(draw, ["", *taxonomy.SEGMENT_COLUMNS])
        if not column:
            return {}
        if column == segments.BUCKET:  # a tenth of the users
            low = 10 * int(draw.integers(10))
            return {column: f"{low}-{low + 9}"}
        values = env.observe(segments.values_sql(column))
        return {column: str(_one(draw, values.rows)[0])} if values.rows else {}


def _one(draw: np.random.Generator, options: list[Any]) -> Any:
    return options[int(draw.integers(len(options)))]
