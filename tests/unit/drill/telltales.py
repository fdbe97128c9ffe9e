"""What of a scenario nobody may read while it is played, for the tests that look for it everywhere."""

from __future__ import annotations

import re

from sandbox.drill.scenario.scenario import Scenario


def faults_of(scenario: Scenario) -> list[str]:
    return [step.fault.name for step in scenario.timeline if step.fault is not None]


def texts_of(scenario: Scenario) -> list[str]:
    """Whole texts: gold SQL by its lines, claims, actions that help or harm, hints, the debrief's."""
    lines = [line.strip() for e in scenario.evidence for line in e.sql.splitlines()]
    deeds = [a for a in (*scenario.accept, *scenario.penalise) if " " in a]  # the others are words for all
    return [
        *(line for line in lines if len(line) > 20), *(e.claim for e in scenario.evidence), *deeds,
        *scenario.hints, scenario.teaches, scenario.precedent, *scenario.explanation.split("\n\n"),
    ]  # fmt: skip


def words_of(scenario: Scenario) -> list[str]:
    """Names that say it in a word: of its faults, and of what was wrong."""
    return [*faults_of(scenario), *(cause.mechanism for cause in scenario.truth.causes)]


def found_in(raw: bytes, scenario: Scenario, *, words: bool = True) -> list[str]:
    """Which of them stand in a file. Line ends and spaces do not matter."""
    plain = re.sub(rb"(\s|\\n)+", b" ", raw)
    wanted = [*texts_of(scenario), *(words_of(scenario) if words else [])]
    return [text for text in wanted if re.sub(r"\s+", " ", text).encode() in plain]
