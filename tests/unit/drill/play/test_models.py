"""Training runs behind releases: really wrapped by the fault, and really not without it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from sandbox.drill.play import models
from sandbox.drill.scenario import library


@dataclass(frozen=True)
class SmallLog:
    """The columns of a log that a training-log fault reads."""

    request: np.ndarray
    item: np.ndarray

    def take(self, rows: np.ndarray) -> SmallLog:
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True)
class SmallCatalogue:
    item_creator: np.ndarray
    creator_group: np.ndarray


@pytest.fixture
def step(monkeypatch):
    """The release with a retrained ranker, on a catalogue of 10 items, the first half of group B."""
    catalogue = SmallCatalogue(np.arange(10), np.array([1] * 5 + [0] * 5))
    monkeypatch.setattr(models.Catalogue, "load", lambda _: catalogue)
    scenario = library.named("a-good-week")
    return next(s for s in scenario.timeline if s.release and s.release.retrain)


def log(n: int = 10_000) -> SmallLog:
    return SmallLog(np.arange(n), np.arange(n) % 10)


def test_the_fault_thins_one_group_of_the_log_and_leaves_the_other(step, tmp_path):
    stages = models._stages(step, tmp_path)

    kept = stages.log(log()).item

    assert (kept >= 5).sum() == 5_000
    share = step.fault.params["keep_share"]
    # 5 standard errors of that share among 5,000
    assert abs((kept < 5).sum() / 5_000 - share) < 5 * np.sqrt(share * (1 - share) / 5_000)


def test_the_same_scenario_thins_the_same_rows_and_is_cached_by_what_it_does(step, tmp_path):
    one, two = models._stages(step, tmp_path), models._stages(step, tmp_path)

    assert np.array_equal(one.log(log()).request, two.log(log()).request)
    assert one.key == two.key != models.Stages().key


def test_a_release_without_a_training_fault_is_trained_as_ever(tmp_path):
    scenario = library.named("all-new")
    step = next(s for s in scenario.timeline if s.release and s.release.retrain)

    assert models._stages(step, tmp_path) == models.Stages()


def test_a_fault_of_the_pipeline_is_put_around_the_stages_that_it_names():
    step = next(s for s in library.named("best-model-yet").timeline if s.release and s.release.retrain)

    assert set(models._armed(step)) == {"training_set"}
    assert models._armed(next(s for s in library.named("all-new").timeline if s.release and s.release.retrain)) == {}
