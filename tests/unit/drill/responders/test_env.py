"""A drill as a program sees it: time moves with what it asks, and the report is handed in once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play.report import Report
from sandbox.drill.responders import host
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.responders.observed import moment
from sandbox.runtime.operate.actions import Action
from tests.unit.drill.fake_drill import BEGAN, FakeDrill, with_outcome
from tests.unit.drill.scenes import scenario

RIGHT = {
    "incident": True,
    "component": "stream",
    "mechanism": "stream-lag",
    "started_at": BEGAN + 1_200,
    "segment": {"region": "EU"},
}


@pytest.fixture
def drills() -> list[FakeDrill]:
    """The drills that were begun."""
    return []


@pytest.fixture
def env(drills, tmp_path):
    def opener(scenario, world, seed, faults, run_dir):
        drills.append(FakeDrill(scenario, seed, faults))
        return with_outcome(drills[-1])

    with DrillEnv(scenario(), run_dir=tmp_path, opener=opener) as env:
        env.reset()
        yield env


def code_of(call) -> str:
    with pytest.raises(SandboxError) as refused:
        call()
    return refused.value.kind.code


def test_it_begins_with_the_briefing_and_the_words_and_no_truth(env):
    seen = env.reset()

    assert seen.briefing == "You are on call."
    assert seen.began == seen.now == BEGAN
    assert "stream-lag" in seen.mechanisms["staleness"]
    assert seen.actions["restart"] == {"service": "name of the process"}
    assert "session-stream-lag" not in repr(seen)


def test_time_passes_with_a_query_and_with_an_action_and_no_other_way(env, drills):
    env.observe("SELECT 1")
    after_query = env.now
    env.act("restart service=stream")

    assert after_query == BEGAN + host.QUERY_S
    assert env.now == after_query + host.ACTION_S
    assert drills[-1].acted == [(after_query, "restart service=stream")]
    assert env.left_s == 36_000 - host.QUERY_S - host.ACTION_S


def test_times_in_a_query_are_filled_in(env, drills):
    env.observe("SELECT count(*) FROM requests WHERE ts >= $began AND ts < $now")

    assert drills[-1].asked[-1].count("TIMESTAMP '1970-01-12 13:46:40") == 2
    assert code_of(lambda: env.observe("SELECT $paged")) == "LAKE-004", "there was no page yet"


def test_the_page_comes_while_one_waits(env):
    assert env.page is None

    text = env.wait_for_page()

    assert text == env.page == "PAGE latency"
    assert env.paged_ts == BEGAN + 4_000
    assert 0 <= env.now - env.paged_ts <= host.PATIENCE_S


def test_a_report_is_graded_once(env):
    env.wait_for_page()

    score = env.submit(RIGHT)

    assert score.score == env.score().score > 0.5
    assert score.items["component"] > 0
    assert code_of(lambda: env.submit(RIGHT)) == "DRILL-006"
    assert code_of(lambda: env.observe("SELECT 1")) == "DRILL-006"


def test_a_report_before_the_page_is_handed_in_as_it_comes(env, drills):
    """Or who reports at once that nothing is wrong would be right: nothing is wrong yet."""
    score = env.submit(Report(incident=False))

    assert drills[-1].clock >= BEGAN + 4_000
    assert score.score < 0.1


def test_nonsense_is_refused_and_can_be_mended(env):
    assert code_of(lambda: env.submit({"incident": "perhaps"})) == "DRILL-003"
    assert code_of(lambda: env.submit(42)) == "DRILL-003"
    assert code_of(lambda: env.submit({**RIGHT, "started_at": BEGAN + 9e6})) == "DRILL-003"

    env.wait_for_page()
    assert env.submit(RIGHT).score > 0.5


def test_when_time_is_up_only_the_report_is_left(env):
    env.wait(1e9)

    assert env.now == BEGAN + 36_000
    for late in (lambda: env.wait(1), lambda: env.observe("SELECT 1"), lambda: env.act("rebuild-index")):
        assert code_of(late) == "DRILL-006"
    assert env.submit(RIGHT).score > 0


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_time_goes_forward_by_a_number_of_seconds(env, seconds):
    assert code_of(lambda: env.wait(seconds)) == "CFG-001"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "DRILL-005"),
        ("fly high", "DRILL-005"),
        ("restart stream", "DRILL-007"),
        ("restart service=", "DRILL-007"),
        ("revert key=a key=b", "DRILL-007"),
    ],
)
def test_what_is_no_action_is_refused_as_it_is_everywhere(env, text, code):
    assert code_of(lambda: env.act(text)) == code
    with pytest.raises(SandboxError) as refusal:
        Action.parse(text.split())
    assert refusal.value.kind.code == code


def test_a_reset_begins_anew_and_ends_what_was(env, drills):
    env.wait_for_page()
    env.submit(RIGHT)

    env.reset()

    assert env.now == BEGAN
    assert not env.submitted
    assert [d.closed for d in drills] == [True, False]
    assert code_of(env.score) == "DRILL-006"


def test_a_reset_of_a_drill_in_which_nothing_happened_is_the_same_drill(env, drills):
    assert env.reset() == env.reset()
    assert len(drills) == 1


def test_a_drill_sees_nothing_of_the_one_before_in_its_place(env, tmp_path):
    (tmp_path / "lake").write_text("rows of the drill before")
    env.wait(60)

    env.reset()

    assert not (tmp_path / "lake").exists()


def test_before_a_reset_there_is_nothing(tmp_path):
    assert code_of(lambda: DrillEnv(scenario()).now) == "DRILL-006"
    assert code_of(lambda: DrillEnv("no-such-drill")) == "DRILL-001"


def test_its_directory_goes_with_it(drills):
    places = []

    def opener(scenario, world, seed, faults, run_dir):
        places.append(run_dir)
        return with_outcome(FakeDrill(scenario, seed, faults))

    with DrillEnv(scenario(), opener=opener) as env:
        env.reset()
        assert places[0].is_dir()
    assert not places[0].exists()


def test_a_time_in_an_answer_is_world_time():
    assert moment(datetime(1970, 1, 1, 0, 1)) == moment(datetime(1970, 1, 1, 0, 1, tzinfo=UTC)) == 60
    with pytest.raises(TypeError):
        moment("noon")
