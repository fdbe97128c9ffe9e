"""A supervisor's instances follow their documents: what is missing starts, what is too many is called no more and ends."""

from __future__ import annotations

import time

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo, load_endpoints
from sandbox.runtime.local import fleet
from sandbox.runtime.local.plan import Request, plan
from sandbox.runtime.local.processes import Process

ONE_EACH = {"features": 1, "model": 1, "retrieval": 1, "ranking": 1, "rules": 1}


class Keeper:
    """Has processes that never run. failures: what the next ones say instead of becoming ready."""

    def __init__(self, folder, failures=()):
        addresses = {name: f"127.0.0.1:{n}" for n, name in enumerate(ONE_EACH, 1)}
        self.run = RunInfo(str(folder), "w", "/w", 0.0, time.time(), 60.0, 1, "", addresses, dict(addresses))
        self.processes = {name: Process(name, self.run, "") for name in ("redis", *ONE_EACH)}
        for process in self.processes.values():
            process.info.healthy = True
        self.failures, self.story = list(failures), []

    async def begin(self, process):
        self.story.append(f"begin {process.name}")
        if self.failures:
            raise self.failures.pop(0)
        process.info.healthy = True

    async def put_to_rest(self, process):
        self.story.append(f"end {process.name}")

    def publish(self):
        self.story.append(f"callers know {sum(map(len, fleet.endpoints_of(self.processes).values()))}")


def error(code):
    return SandboxError(code, where="x", seen="", expected="", fix="")


async def test_what_is_missing_starts_at_an_address_of_its_own(tmp_path):
    keeper = Keeper(tmp_path)
    await fleet.follow(keeper, {**ONE_EACH, "model": 3})

    assert keeper.story == ["begin model-1", "begin model-2"]
    known = RunInfo.load(tmp_path).instances("model")
    assert list(known) == ["model-0", "model-1", "model-2"]
    assert len(set(known.values())) == 3
    assert fleet.endpoints_of(keeper.processes)["model"] == known


async def test_of_too_many_the_last_end_after_callers_were_told(tmp_path):
    keeper = Keeper(tmp_path)
    await fleet.follow(keeper, {**ONE_EACH, "model": 3})
    keeper.story.clear()
    await fleet.follow(keeper, {**ONE_EACH, "model": 2})

    assert keeper.story == ["callers know 6", "end model-2"]
    assert list(RunInfo.load(tmp_path).instances("model")) == ["model-0", "model-1"]


async def test_one_that_does_not_come_up_is_gone_again_and_says_why(tmp_path):
    keeper = Keeper(tmp_path, [error("MODEL-001")])
    with pytest.raises(SandboxError) as caught:
        await fleet.follow(keeper, {**ONE_EACH, "model": 2})

    assert caught.value.kind.code == "MODEL-001"
    assert keeper.story == ["begin model-1", "callers know 5", "end model-1"]
    assert list(keeper.processes) == ["redis", *ONE_EACH]
    assert list(RunInfo.load(tmp_path).instances("model")) == ["model-0"]


async def test_a_port_that_was_taken_meanwhile_is_tried_elsewhere(tmp_path):
    keeper = Keeper(tmp_path, [error("RUN-006"), error("RUN-006")])
    await fleet.follow(keeper, {**ONE_EACH, "rules": 2})

    assert keeper.story.count("begin rules-1") == 3
    assert list(RunInfo.load(tmp_path).instances("rules")) == ["rules-0", "rules-1"]


def test_callers_are_told_of_those_that_are_well_and_only_when_that_changes(tmp_path):
    keeper = Keeper(tmp_path)
    told = fleet.tell(tmp_path, keeper.processes, {})
    written = (tmp_path / "endpoints.json").stat().st_mtime_ns
    assert fleet.tell(tmp_path, keeper.processes, told) == told
    assert (tmp_path / "endpoints.json").stat().st_mtime_ns == written
    assert load_endpoints(tmp_path)["model"] == {"model-0": "127.0.0.1:2"}

    keeper.processes["model"].info.healthy = False
    fleet.tell(tmp_path, keeper.processes, told)
    assert "model" not in load_endpoints(tmp_path)


def test_a_run_is_planned_with_as_many_as_its_documents_say(tmp_path):
    run = plan(Request("tiny", "/w", 0.0, 60.0, 1), tmp_path, replicas={**ONE_EACH, "model": 2})

    assert list(run.instances("model")) == ["model-0", "model-1"]
    assert len({*run.addresses.values(), *run.metrics.values()}) == 2 * len(run.addresses)
