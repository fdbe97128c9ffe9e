"""Why a process did not become ready, told from what it left behind."""

from __future__ import annotations

import json
import time
from unittest.mock import Mock

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.runtime.local.child import PORT_TAKEN, failure_file
from sandbox.runtime.local.processes import Process, run_to_end


@pytest.fixture
def process(tmp_path) -> Process:
    (tmp_path / "logs").mkdir()
    run = RunInfo(
        run_dir=str(tmp_path), world="none", world_dir=str(tmp_path), world_start=1e9,
        wall_start=time.time(), speed=60.0, seed=1, redis="", addresses={"model": "127.0.0.1:1"}, metrics={},
    )  # fmt: skip
    return Process("model", run, "redis-server")


def test_a_port_that_was_taken_is_told_from_the_exit_code(process):
    process.child = Mock(returncode=PORT_TAKEN)

    error = process.why_not_ready(1.0)

    assert (error.kind.code, error.seen) == ("RUN-006", "127.0.0.1:1")


def test_the_error_that_it_left_is_its_own(process):
    process.child = Mock(returncode=1)
    left = SandboxError("MODEL-002", where="rk-1", seen="x", expected="y", fix="build")
    failure_file(process.run.path, "model").write_text(json.dumps(left.as_json()))

    assert process.why_not_ready(1.0).as_json() == left.as_json()


def test_without_one_its_log_has_to_do(process):
    process.child = Mock(returncode=-9)
    process.log.write_text("first\nlast words\n")

    error = process.why_not_ready(1.0)

    assert error.kind.code == "RUN-003"
    assert "exit code -9" in str(error.seen)
    assert "last words" in str(error.seen)


async def test_a_job_that_fails_is_told_with_its_own_error(process):
    with pytest.raises(SandboxError, match="RUN-001"):
        await run_to_end("publish", process.run.path)  # a directory without a run


async def test_a_job_that_dies_without_a_word_is_told_with_its_log(process):
    with pytest.raises(SandboxError) as caught:
        await run_to_end("nothing_of_that_name", process.run.path)

    assert (caught.value.kind.code, caught.value.where) == ("RUN-003", "nothing_of_that_name")
    assert "No module named" in str(caught.value.seen)
