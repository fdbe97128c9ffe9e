"""The engine follows the timeline, the trainee and the alerts, and leaves nothing behind."""

from __future__ import annotations

from unittest.mock import Mock

from sandbox.base.errors import SandboxError
from sandbox.drill.play.deeds import played_of
from sandbox.drill.play.engine import Alert, Engine
from sandbox.drill.play.journal import Journal, first, phase
from sandbox.drill.scenario.scenario import Step
from tests.unit.drill.scenes import FakeBackend, deed, scenario

BEGAN = 1_000_000.0


def engine(tmp_path, **options) -> tuple[Engine, FakeBackend]:
    backend = FakeBackend()
    made = Engine(scenario(), backend, Journal(tmp_path / "j.jsonl"), BEGAN, seed=3, **options)
    made.begin()
    return made, backend


def run_to(made: Engine, at_s: float, from_s: float = 0.0) -> None:
    """Ticks every world minute."""
    for minute in range(int(from_s // 60), int(at_s // 60) + 1):
        made.tick(BEGAN + 60 * minute)


def test_each_step_happens_once_and_in_its_time(tmp_path):
    made, backend = engine(tmp_path)

    run_to(made, 1190)
    assert backend.asked == [("note", "banner")]
    run_to(made, 1800, 1200)
    assert backend.asked[1:] == [("arm", "stream", "session-stream-lag"), ("release", "max_batch", True)]


def test_a_late_driver_makes_up_for_what_it_missed(tmp_path):
    made, backend = engine(tmp_path)

    made.tick(BEGAN + 2_000)

    assert [a[0] for a in backend.asked] == ["note", "arm", "release"]


def test_without_its_fault_all_else_happens(tmp_path):
    made, backend = engine(tmp_path, faults=False)

    run_to(made, 4_020)

    assert backend.asked == [("note", "banner"), ("release", "max_batch", False)]
    entries = made.journal.read()
    assert first(entries, "armed") is None
    assert first(entries, "page") is not None, "the page comes at its time, for all that"
    assert played_of(made.scenario, entries).onset_s is None


def test_a_crowd_comes_without_the_incident_too_and_is_no_part_of_it(tmp_path):
    made, backend = engine(tmp_path, faults=False)
    crowd = Step.model_validate(
        {"at_s": 600, "target": "load", "anyway": True, "fault": {"name": "flash-crowd", "params": {"multiplier": 2}}}
    )
    timeline = sorted((crowd, *made.scenario.timeline), key=lambda step: step.at_s)
    made.scenario = made.scenario.model_copy(update={"timeline": tuple(timeline)})

    run_to(made, 4_020)
    made.finish(BEGAN + 4_020, "over")

    assert ("arm", "load", "flash-crowd") in backend.asked
    assert ("arm", "stream", "session-stream-lag") not in backend.asked
    assert backend.asked[-1] == ("disarm", "load")
    entries = made.journal.read()
    assert first(entries, "armed") is None
    assert played_of(made.scenario, entries).onset_s is None


def test_the_page_comes_with_the_alert_but_not_for_one_before_the_fault(tmp_path):
    made, backend = engine(tmp_path)
    backend.fires = [Alert(BEGAN + 500, "latency", "firing"), Alert(BEGAN + 2_000, "errors", "firing")]
    run_to(made, 2_100)
    assert first(made.journal.read(), "page") is None

    backend.fires.append(Alert(BEGAN + 2_150, "latency-typical", "firing"))
    run_to(made, 2_200, 2_160)

    page = first(made.journal.read(), "page")
    assert page is not None
    assert page.world_ts == BEGAN + 2_160
    assert phase(made.journal.read()) == "incident"


def test_an_action_that_ends_the_fault_takes_it_off_and_others_do_not(tmp_path):
    made, backend = engine(tmp_path)
    run_to(made, 1_500)

    backend.done.append(deed(BEGAN + 1_510, "restart service=gateway"))
    run_to(made, 1_560, 1_560)
    assert ("disarm", "stream") not in backend.asked
    backend.done.append(deed(BEGAN + 1_600, "restart service=stream"))
    run_to(made, 1_620, 1_620)

    assert ("disarm", "stream") in backend.asked
    played = played_of(made.scenario, made.journal.read())
    assert [(a.at_s, a.text) for a in played.actions] == [
        (1_510, "restart service=gateway"),
        (1_600, "restart service=stream"),
    ]


def test_a_report_ends_the_drill_and_takes_every_fault_off(tmp_path):
    made, backend = engine(tmp_path)
    run_to(made, 2_400)
    made.journal.append(BEGAN + 2_420, "trainee", "report", report={})

    assert made.tick(BEGAN + 2_430) is False
    assert made.tick(BEGAN + 2_440) is False

    assert backend.asked.count(("disarm", "stream")) == 1
    assert phase(made.journal.read()) == "debrief"


def test_a_drill_without_a_report_ends_by_itself(tmp_path):
    made, backend = engine(tmp_path)

    run_to(made, 36_060)
    assert phase(made.journal.read()) == "report", "time is up, the report may still come"
    assert made.tick(BEGAN + 72_001) is False

    assert ("disarm", "stream") in backend.asked


def test_a_fault_that_cannot_be_taken_off_keeps_no_drill_open(tmp_path, monkeypatch):
    made, backend = engine(tmp_path)
    run_to(made, 2_400)
    gone = SandboxError("RUN-001", where="stream", seen="no socket", expected="a process", fix="")
    monkeypatch.setattr(backend, "disarm", Mock(side_effect=gone))

    made.finish(BEGAN + 2_460, "the drill was ended")

    entries = made.journal.read()
    assert phase(entries) == "debrief"
    assert first(entries, "failure") is not None
    assert first(entries, "disarmed") is None, "the next drill on this stack takes it off"


def test_nothing_public_names_the_fault(tmp_path):
    from sandbox.drill.play.journal import public

    made, _ = engine(tmp_path)
    run_to(made, 4_000)

    shown = str(public(made.journal.read()))

    assert "stream" not in shown
    assert "lag" not in shown


def test_a_fault_with_an_end_ends_by_itself(tmp_path):
    made, backend = engine(tmp_path)
    lag = made.scenario.timeline[1].model_copy(update={"until_s": 2_400.0})
    made.scenario = made.scenario.model_copy(
        update={"timeline": (made.scenario.timeline[0], lag, *made.scenario.timeline[2:])}
    )

    run_to(made, 2_390)
    assert ("disarm", "stream") not in [a[:2] for a in backend.asked]
    run_to(made, 2_460, 2_400)

    assert [e.fields["why"] for e in made.journal.read() if e.what == "disarmed"] == ["its time was over"]
    made.finish(BEGAN + 3_000, "over")
    assert len([e for e in made.journal.read() if e.what == "disarmed"]) == 1
