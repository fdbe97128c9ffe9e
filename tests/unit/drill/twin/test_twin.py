"""The twin: arms that are run once, kept, run anew when damaged, and told of a finished drill."""

from __future__ import annotations

import json
import multiprocessing
import re
import time
from contextlib import ExitStack
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.debrief.curves import curves, tells_most
from sandbox.drill.debrief.page import harm_svg
from sandbox.drill.grading import marking
from sandbox.drill.play import drills
from sandbox.drill.scenario.harms import METRICS
from sandbox.drill.terminal import charts
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin import cache as twin_cache
from sandbox.drill.twin import story as twin
from sandbox.drill.twin.arms import ARMS, MOST_STEPS, arms_of, seeds_of, step_ends
from tests.unit.drill.scenes import deed, scenario
from tests.unit.drill.toy_arms import BEGAN, toy_run
from tests.unit.drill.toy_twin import story_of, twin_of

RIGHT = deed(5_000, "restart service=stream")
WRONG = deed(5_500, "restart service=redis")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Counting:
    """The toy's runs, counted."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, plan, run_dir, telemetry):
        self.runs += 1
        (run_dir / "lake").mkdir()
        return toy_run(plan, run_dir, telemetry)


def failing_run(plan, run_dir, telemetry):
    (run_dir / "half.done").write_text("x")
    raise SandboxError("RUN-005", where="here", seen="full", expected="space", fix="free some")


def endless_run(plan, run_dir, telemetry):
    while True:
        time.monotonic()


def dying_run(plan, run_dir, telemetry):
    import os

    os._exit(9)


def test_each_arm_leaves_out_or_puts_in_one_thing():
    story = story_of(RIGHT, WRONG)

    arms = story.arms()

    assert set(arms) == {*ARMS, "first_0", "first_1", "first_2"}
    assert arms["incident"] == story.plan
    assert (arms["without_faults"].faults, arms["without_faults"].actions) == (False, ())
    assert (arms["without_actions"].faults, arms["without_actions"].actions) == (True, ())
    assert arms["best_response"].actions == ((1_201.0, "restart service=stream"),)
    assert arms["first_0"] == arms["without_actions"]
    assert arms["first_1"].actions == ((5_000, "restart service=stream"),)
    assert {arm.until_s for arm in arms.values()} == {story.plan.until_s}


def test_on_a_day_without_faults_there_is_no_best_response():
    arms = story_of(RIGHT, faults=False).arms()

    assert arms["without_actions"] == arms["without_faults"] == arms["best_response"]


def test_reports_filed_at_about_one_time_share_all_arms_but_their_own():
    early, late = (story_of(RIGHT, filed_s=s).arms() for s in (6_000.0, 7_500.0))

    assert all(early[name].key == late[name].key for name in early)
    assert seeds_of(5, 3)[:2] == seeds_of(5, 2)
    assert len(set(seeds_of(5, 20))) == 20


def test_equal_arms_are_run_once_and_known_ones_not_again():
    run, story = Counting(), story_of()

    first = twin.compare(story, 2, run=run, workers=1)
    assert run.runs == 2 * 3, "incident and without_actions are one"
    again = twin.compare(story, 2, run=run, workers=1)

    assert run.runs == 6
    assert first == again
    twin.compare(story_of(RIGHT), 1, run=run, workers=1)
    assert run.runs == 7, "the incident alone is another"


def test_what_another_process_is_at_is_left_to_it_and_waited_for(home):
    others, mine = story_of().plan, story_of(RIGHT).plan
    with ExitStack() as other_process:
        other_process.enter_context(twin_cache.alone(others.key, wait=True))
        ran = []

        def run(plan, run_dir, telemetry):
            ran.append(plan.key)
            toy_run(others, run_dir, False).save(home / "twins" / f"{others.key}.npz")
            other_process.close()  # it is done
            return toy_run(plan, run_dir, telemetry)

        found = arm_runs.run_all([others, mine], run=run, workers=1)

    assert ran == [mine.key]
    assert set(found) == {others.key, mine.key}


def test_what_another_process_gave_up_is_run(home):
    plan, run = story_of().plan, Counting()
    with twin_cache.alone(plan.key, wait=True):
        pass  # it died

    arm_runs.run_all([plan], run=run, workers=1)

    assert run.runs == 1
    assert list((home / "twins-in-use").glob("*.lock")) == []


def test_what_was_damaged_is_run_again(home):
    run, story = Counting(), story_of()
    before = twin.compare(story, run=run, workers=1)
    for number, path in enumerate(sorted((home / "twins").glob("*.npz"))):
        path.write_bytes((b"", b"PK\3\4rubbish", path.read_bytes()[:400])[number])

    after = twin.compare(story, run=run, workers=1)

    assert run.runs == 6
    assert after == before


def test_a_lake_is_kept_where_it_is_wanted(home):
    run, plan = Counting(), story_of().plan
    [bare] = arm_runs.run_all([plan], run=run, workers=1).values()
    [whole] = arm_runs.run_all([plan], telemetry=[plan], run=run, workers=1).values()

    assert bare.run_dir is None
    assert (whole.run_dir / "lake").is_dir()
    assert run.runs == 2
    assert not list((home / "twins").glob(".scratch*"))


@pytest.mark.parametrize(
    ("run", "workers", "code"), [(failing_run, 1, "RUN-005"), (failing_run, 2, "RUN-005"), (dying_run, 2, "RUN-008")]
)
def test_a_run_that_fails_says_so_and_leaves_nothing(home, run, workers, code):
    with pytest.raises(SandboxError) as caught:
        twin.compare(story_of(RIGHT), run=run, workers=workers)

    assert caught.value.kind.code == code
    assert list((home / "twins").iterdir()) == []
    assert not multiprocessing.active_children()


def test_ctrl_c_ends_what_runs_and_leaves_nothing(home):
    def interrupted():
        raise KeyboardInterrupt

    story = story_of(RIGHT)
    ready = replace(story.arms()["best_response"], until_s=600.0)
    jobs = [({plan.key: plan}, False, home, run) for plan, run in ((ready, toy_run), (story.plan, endless_run))]
    home.mkdir()
    (home / "twins").mkdir()
    with pytest.raises(KeyboardInterrupt):
        arm_runs._in_processes(jobs, 2, interrupted)

    assert not multiprocessing.active_children()


def test_several_processes_come_to_what_one_comes_to(tmp_path, monkeypatch):
    story = story_of(RIGHT)
    alone = twin.compare(story, run=toy_run, workers=1)
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "other"))

    assert twin.compare(story, run=toy_run, workers=2) == alone


# -- of finished drills ------------------------------------------------------------------------


@pytest.fixture
def drill(tmp_path):
    """A drill that was played and reported, without a stack."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    made = drills.create(
        scenario(), run_dir=run_dir, seed=1, faults=True, autopilot=False, own_stack=True, backend="virtual"
    )
    drills.announce(made)
    log = made.journal.append
    log(BEGAN, "engine", "phase", name="baseline")
    log(BEGAN + 1_200, "engine", "armed", id="w1", fault="session-stream-lag", target="stream")
    log(BEGAN + 4_000, "engine", "page", text="PAGE")
    log(BEGAN + 5_000, "trainee", "action", text=RIGHT.text, forms=RIGHT.forms)
    report = {"incident": True, "started_at": BEGAN + 1_200, "component": "stream", "mechanism": "stream-lag"}
    log(BEGAN + 6_000, "trainee", "report", report=report)
    return made


def test_a_finished_drill_is_told_with_everything_that_was_asked_for(drill):
    document = twin.document(drill, 2, lambda _what, _share: None, run=toy_run)

    assert document["run"] == drill.plan.run_dir
    assert document["arms"] == list(ARMS)
    assert len(document["seeds"]) == 2
    for part in ("harm", "avoided", "regret"):
        assert list(document[part]) == list(METRICS)
        assert all(set(e) == {"estimate", "low", "high"} for e in document[part].values())
    assert set(document["pairing"]) == set(METRICS)
    assert 0 < document["pairing"]["clicks"] < 1
    assert document["harm"]["clicks"]["low"] > 0
    assert document["avoided"]["clicks"]["low"] > 0
    minutes = [row["minute"] for row in document["per_minute"]]
    assert minutes == list(range(20, 180)), "from onset to half an hour past the evidence"
    lost = sum(row["clicks"] for row in document["per_minute"])
    assert lost == pytest.approx(document["harm"]["clicks"]["estimate"], abs=0.01)
    assert {row["segment"] for row in document["by_segment"]} >= {"region=EU", "segment=heavy"}
    assert document["notices"] == []
    json.dumps(document, allow_nan=False)


def test_a_line_that_was_cut_off_is_left_out_and_that_is_said(drill):
    path = drill.journal.path
    path.write_bytes(path.read_bytes()[:-30])

    story, notices = twin.story_of(drill)

    assert story.played.actions == (RIGHT,)
    assert story.played.filed_s == 5_000, "the report was in that line"
    assert any("cut off" in n for n in notices)
    assert any("no report" in n for n in notices)


def test_a_drill_of_an_older_format_is_refused(drill):
    path = drill.directory / "plan.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "world"}))

    with pytest.raises(SandboxError, match=r"CFG-003[\s\S]*without world"):
        twin.find(drill.directory.name)


def test_an_action_on_a_service_that_there_is_not_is_refused(drill):
    drill.journal.append(BEGAN + 5_100, "trainee", "action", text="restart service=billing",
                         forms=deed(0, "restart service=billing").forms)  # fmt: skip

    with pytest.raises(SandboxError, match=r"DRILL-007[\s\S]*billing"):
        twin.story_of(drill)


def test_a_drill_that_is_not_over_keeps_its_twin_to_itself(tmp_path):
    (tmp_path / "run").mkdir()
    made = drills.create(scenario(), run_dir=tmp_path / "run", seed=1, faults=True, autopilot=False, own_stack=True)
    made.journal.append(BEGAN, "engine", "phase", name="baseline")

    with drills.lock(tmp_path / "run"), pytest.raises(SandboxError, match="DRILL-006"):
        twin.story_of(made)
    with pytest.raises(SandboxError, match="DRILL-006"):
        twin.find("nowhere")


def test_a_live_revert_is_told_by_what_it_reverted(drill):
    forms = deed(0, "revert change=7").forms
    op, arguments = forms[0]
    named = ((op, (*arguments, ("key", "max_batch"), ("target", "model"))),)
    drill.journal.append(BEGAN + 5_100, "trainee", "action", text="revert change=7", forms=named)
    path = drill.directory / "plan.json"
    path.write_text(path.read_text().replace('"virtual"', '"live"'))

    story, _ = twin.story_of(drill)

    assert story.plan.actions[1] == (5_100, "revert target=model key=max_batch")


def test_a_grade_is_reckoned_once_and_kept(drill):
    first = marking.marked(drill, run=toy_run, workers=1)
    path = drill.directory / "grade.json"
    path.write_text(path.read_text().replace('"score": ', '"score": 0.12, "was": ', 1))

    assert first["twin"]["per_minute"]
    assert next(i for i in first["items"] if i["item"] == "mitigation")["score"] == pytest.approx(0.15, abs=0.02)
    assert marking.marked(drill, run=toy_run, workers=1)["score"] == 0.12
    assert "twin" not in marking.marked(drill, with_twin=False)


def test_a_twin_that_cannot_be_run_costs_nothing_but_its_items(drill):
    marks = marking.marked(drill, run=failing_run, workers=1)

    assert "without a twin" in marks["notices"][0]
    assert {i["item"]: i["max"] for i in marks["items"]}["impact"] == 0
    assert not (drill.directory / "grade.json").exists(), "the next look may have more luck"


def test_a_process_that_dies_while_it_computes_is_an_error_and_no_grade(drill):
    """Exit code 3 of `sandbox`. The report stands: the next look grades it."""
    with pytest.raises(SandboxError) as died:
        marking.marked(drill, run=dying_run, workers=2)

    assert died.value.kind.code == "RUN-008"
    assert not (drill.directory / "grade.json").exists()
    assert marking.marked(drill, run=toy_run, workers=1)["notices"] == []


def test_the_plot_shows_all_curves_and_the_moments():
    told = twin_of(RIGHT).document("run")
    found = curves(told, tells_most(told))

    blocks, svg = charts.in_blocks(found), harm_svg(told)

    went, nothing, best = re.split("had nothing been done|with the best response", blocks)
    assert best.count("█") < went.count("█") < nothing.count("█")
    assert "onset at 20" in blocks
    assert svg.count("<polyline") == 3
    assert "without the fault" in svg, "the line at zero"
    assert ElementTree.fromstring(svg).tag.endswith("}svg")
    assert curves(told, "clicks").binned(7).lines["as it went"].sum() == pytest.approx(
        told["harm"]["clicks"]["estimate"], abs=0.01
    )


def test_each_action_is_a_step_and_many_are_told_in_few():
    few = arms_of(story_of(*[deed(5_000 + i, "restart service=model") for i in range(3)]).plan)

    assert [len(few[f"first_{n}"].actions) for n in range(4)] == [0, 1, 2, 3]
    assert few["first_3"] == few["incident"]
    assert step_ends(0) == ()
    assert step_ends(9) == (3, 6, 9)
    assert step_ends(12)[-1] == 12
    assert len(step_ends(12)) <= MOST_STEPS
    assert step_ends(50) == (), "nobody tells fifty actions apart"
