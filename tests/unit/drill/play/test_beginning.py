"""With which settings a drill begins: those of its scenario, on a stack of its own or on one that has them."""

from __future__ import annotations

import pytest

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.drill.play.live_drill import _require_settings
from sandbox.drill.scenario.library import named

SCENARIO = named("busy-evening")


def test_the_documents_of_the_beginning_are_the_usual_ones_but_for_what_is_said():
    config = SCENARIO.model_copy(update={"replicas": {"model": 2}}).config

    assert (config.ranking.max_handlers, config.model.max_wait_ms, config.model.replicas) == (1, 30, 2)
    usual = Config(ranking={"max_handlers": 1}, model={"max_wait_ms": 30, "replicas": 2})
    assert config == usual


def test_a_stack_that_runs_already_is_taken_when_it_has_them(tmp_path):
    SCENARIO.config.save(tmp_path)

    _require_settings(SCENARIO, tmp_path)


@pytest.mark.parametrize("change", [{"replicas": {"rules": 2}}, {"settings": {"ranking": {"max_handlers": 3}}}])
def test_one_that_has_others_is_refused_and_the_setting_named(tmp_path, change):
    SCENARIO.config.save(tmp_path)
    with pytest.raises(SandboxError) as caught:
        _require_settings(SCENARIO.model_copy(update=change), tmp_path)

    assert caught.value.kind.code == "CFG-001"
    assert next(iter(next(iter(change.values())))) in str(caught.value)
