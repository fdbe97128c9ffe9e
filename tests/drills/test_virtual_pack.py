"""Every scenario played by every responder on the virtual backend: only who looks for the cause finds it.

On the smallest world that will do, graded by what was reported and done; `sandbox scenario prove` adds the twin. The
blind ones get little traffic: they ask for nothing that more of it would tell.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from sandbox.base import paths
from sandbox.drill.grading import marking
from sandbox.drill.responders import host
from sandbox.drill.responders.registry import GOLD, SHIPPED
from sandbox.drill.responders.trials import Outcome, Trial, play
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Load, Scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PACK = library.load_all()
BLIND = [name for name in SHIPPED if name != GOLD]
LITTLE = Load(rate_per_s=2.0)
# The smallest world is too small for what these are about: items born today, lists of an index, the many users of a job
# or of an evening, the few whose no came in one way.
WORLDS = dict.fromkeys(
    (
        "low-priority",
        "new-everywhere",
        "on-the-hour",
        "one-odd-number",
        "signed-off",
        "smaller-languages",
        "test-report",
    ),
    "laptop",
)


@pytest.fixture(autouse=True)
def graded_without_a_twin(home, tmp_path, monkeypatch):
    """A home of its own for drills, with the worlds that are built already."""
    own = tmp_path / "home"
    own.mkdir()
    (own / "worlds").symlink_to(paths.worlds())
    monkeypatch.setenv("SANDBOX_HOME", str(own))
    monkeypatch.setattr(host, "outcome", lambda drill: marking.marked(drill, with_twin=False))


def played(scenario: Scenario, responder: str, run_dir: Path) -> Outcome:
    trial = Trial(scenario, responder, scenario.seed, WORLDS.get(scenario.id, "tiny"))
    return play(trial, run_dir, lambda _: None)


@pytest.mark.parametrize("name", sorted(PACK))
def test_gold_finds_it(name, tmp_path):
    outcome = played(PACK[name], GOLD, tmp_path / "run")

    assert outcome.score >= 0.9, outcome


@pytest.mark.parametrize("name", sorted(PACK))
def test_who_does_not_look_gets_little_and_havoc_nothing(name, tmp_path):
    scenario = PACK[name].model_copy(update={"load": LITTLE})

    scores = {who: played(scenario, who, tmp_path / who).score for who in BLIND}

    assert statistics.fmean(scores.values()) < 0.35, scores
    assert scores["vandal"] <= scores["do-nothing"], scores
