"""Gives every drill one and the same answer: the one that scores best over all the others."""

from __future__ import annotations

from sandbox.drill.grading.baseline import best_constant
from sandbox.drill.play.report import Report
from sandbox.drill.responders import deeds
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.scenario import library


class Constant:
    """The best answer without looking, chosen on the pack without this drill."""

    def respond(self, env: DrillEnv) -> Report:
        env.wait_for_page()
        paged = env.paged_ts
        assert paged is not None
        guess = best_constant(s for s in library.load_all().values() if s.id != env.name)
        done = [guess.action] if guess.action and deeds.tried(env, guess.action) else []
        if not guess.incident:
            return Report(incident=False, actions=done, confidence=guess.confidence)
        return Report.blaming(
            guess.component, guess.mechanism, max(env.began, paged - guess.onset_before_page_s),
            dict(guess.segment), detected_at=paged, actions=done, confidence=guess.confidence,
        )  # fmt: skip
