"""What is asked of a process of its own: answers, refusals, its end; and jobs, of which there is one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.authoring.jobs import Jobs
from sandbox.room.authoring.processes import Process
from sandbox.room.authoring.reader import Reader
from tests.services.waiting import wait_for

STAND_IN = "tests.unit.room.authoring.stand_in"


@pytest.fixture
def reader(place: Path) -> Iterator[Reader]:
    made = Reader(partial(Process, STAND_IN), answer_s=20)
    yield made
    made.close()


@pytest.fixture
def jobs(place: Path) -> Iterator[Jobs]:
    made = Jobs(lambda: 7.0, partial(Process, STAND_IN))
    yield made
    made.close()


def refused(ask, *args, **fields) -> SandboxError:
    with pytest.raises(SandboxError) as told:
        ask(*args, **fields)
    return told.value


def test_one_process_answers_all_and_refuses_with_the_parts_of_an_error(reader: Reader):
    first, second = reader.ask("say", text="a"), reader.ask("say", text="b")
    error = refused(reader.ask, "refuse")

    assert (first["said"], second["said"]) == ("a", "b")
    assert first["pid"] == second["pid"] != os.getpid()
    assert (error.kind.code, error.where, error.seen) == ("DRILL-002", "x.yaml:3", "y")


def test_one_that_dies_is_told_and_the_next_request_has_another(reader: Reader):
    before = reader.ask("say", text="a")["pid"]

    assert refused(reader.ask, "die").kind.code == "RUN-003"
    assert reader.ask("say", text="b")["pid"] != before


def test_one_that_hangs_is_ended_in_time(place: Path):
    reader = Reader(partial(Process, STAND_IN), answer_s=0.5)

    error = refused(reader.ask, "hang")

    assert (error.kind.code, error.seen) == ("ROOM-005", "no answer within 0.5 s")
    reader.close()


def test_what_was_asked_with_a_ticket_can_be_stopped_at_work_and_while_it_waits(reader: Reader):
    """Others' questions are answered: only the process that was at work has gone."""
    with ThreadPoolExecutor(3) as pool:
        hangs = pool.submit(refused, reader.ask, "hang", "t1")
        wait_for(lambda: reader._at_work == "t1", within_s=20)
        waits = pool.submit(refused, reader.ask, "say", "t2", text="never")
        wait_for(lambda: "t2" in reader._asks, within_s=20)
        goes_on = pool.submit(reader.ask, "say", "t3", text="c")
        twice = refused(reader.ask, "say", "t1", text="x")
        stopped = [reader.stop(ticket) for ticket in ("t2", "t1", "nobody's")]

        told = [future.result(20) for future in (hangs, waits)]

        assert goes_on.result(20)["said"] == "c"
    assert stopped == [True, True, False]
    assert [(one.kind.code, one.seen) for one in told] == [("ROOM-003", "it was stopped")] * 2
    assert twice.kind.code == "ROOM-003"
    assert reader.ask("say", "t1", text="d")["said"] == "d", "a ticket is good again once its question is over"


def test_more_than_a_few_who_wait_are_refused_and_so_is_everybody_when_the_server_ends(reader: Reader):
    reader.ask("say", text="it is up")
    with ThreadPoolExecutor(8) as crowd:
        waiting = [crowd.submit(refused, reader.ask, "hang") for _ in range(8)]
        wait_for(lambda: reader._room._value == 0, within_s=10)  # asked here, it might be let in, and hang
        assert refused(reader.ask, "hang").kind.code == "ROOM-005"
        reader.close()
        assert {one.result(10).kind.code for one in waiting} == {"RUN-003"}

    assert refused(reader.ask, "say", text="a").seen == "a server that ends"


def test_a_job_says_how_far_it_is_and_what_came_out(jobs: Jobs):
    begun = jobs.start("dry run", "slow-home", {"do": "say", "text": "a"})

    done = wait_for(lambda: (job := jobs.job(begun.job)).state != "running" and job, within_s=10)

    assert (begun.state, begun.job, begun.answer) == ("running", 1, None)
    assert (done.state, done.what, done.share, done.answer["said"]) == ("done", "half of it", 0.5, "a")
    assert jobs.all()[0].answer is None, "the list is small"


def test_a_job_that_fails_says_why(jobs: Jobs):
    for request, code in (("refuse", "DRILL-002"), ("die", "RUN-003")):
        begun = jobs.start("proof", "slow-home", {"do": request})
        failed = wait_for(lambda at=begun.job: (job := jobs.job(at)).state == "failed" and job, within_s=10)
        assert failed.problem["code"] == code


def test_there_is_one_job_at_a_time_and_it_can_be_cancelled_with_its_process(jobs: Jobs):
    begun = jobs.start("proof", "slow-home", {"do": "hang"})
    wait_for(lambda: jobs.job(begun.job).what == "it hangs", within_s=10)
    children = psutil.Process().children(recursive=True)

    error = refused(jobs.start, "dry run", "all-green", {"do": "say", "text": "a"})
    cancelled = jobs.cancel(begun.job)

    assert error.kind.code == "ROOM-003"
    assert error.seen == "job 1, proof of slow-home, is at work"
    assert cancelled.state == jobs.cancel(begun.job).state == "cancelled"
    assert not any(child.is_running() and "stand_in" in " ".join(child.cmdline()) for child in children)
    assert jobs.start("dry run", "all-green", {"do": "say", "text": "a"}).job == 2
    assert refused(jobs.job, 9).kind.code == "ROOM-009"


def test_a_job_ends_with_the_server(place: Path):
    jobs = Jobs(lambda: 7.0, partial(Process, STAND_IN))
    begun = jobs.start("proof", "slow-home", {"do": "hang"})

    jobs.close()

    assert jobs.job(begun.job).state == "cancelled"
    assert refused(jobs.start, "proof", "slow-home", {"do": "hang"}).seen == "a server that ends"
