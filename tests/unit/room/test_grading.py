"""A drill that is over, graded in a process of its own."""

from __future__ import annotations

import threading

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.grading import GradedApart
from tests.services.waiting import processes_of, wait_for
from tests.unit.room.desk import Scene


def test_a_drill_that_was_given_up_has_its_debrief(opened: Scene):
    opened.desk.abandon()

    document = GradedApart(twin=False)(opened.desk.drill)

    assert document["score"] == 0.0
    assert document["incident"] is True


def test_one_that_runs_has_no_grade_and_its_log_says_why(opened: Scene):
    with pytest.raises(SandboxError, match="RUN-003"):
        GradedApart(twin=False)(opened.desk.drill)

    assert "DRILL-006" in (opened.desk.drill.directory / "grading.log").read_text()


def test_a_server_that_ends_does_not_wait_for_a_grade(opened: Scene):
    opened.desk.abandon()
    grader, refused, directory = GradedApart(twin=False), list[SandboxError](), opened.desk.drill.directory

    def grade() -> None:
        try:
            grader(opened.desk.drill)
        except SandboxError as error:
            refused.append(error)

    thread = threading.Thread(target=grade)
    thread.start()
    wait_for(lambda: processes_of(directory), within_s=20)
    grader.close()
    thread.join(20)

    assert [error.kind.code for error in refused] == ["RUN-003"]
    assert processes_of(directory) == []
    with pytest.raises(SandboxError, match="a server that ends"):
        grader(opened.desk.drill)
