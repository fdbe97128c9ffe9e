"""Training, registering and promoting while a stack serves: nobody's request is lost, and answers stay what they were."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import grpc
import pytest

from sandbox.base import artefacts
from sandbox.base.config import Config
from sandbox.cli.app import main
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.operate.staging import stages_of
from sandbox.runtime.stack import Stack
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
from tests.services.asking import query
from tests.services.ctrl_c import heard
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack
TRAIN = """
import sys
from pathlib import Path
from sandbox.pipeline.build import Recipe, train_release
from sandbox.pipeline.ranker import RankerSettings
from sandbox.pipeline.training_set import Sampling
recipe = Recipe(sampling=Sampling(max_rows=20_000), ranker=RankerSettings(batch=512, min_steps=30))
train_release(Path(sys.argv[1]), seed=3, suffix="2", artifacts=("ranker",), registry_dir=Path(sys.argv[2]), recipe=recipe)
"""


class Asking:
    """Somebody who never stops asking. answers: status and ranker of each."""

    def __init__(self, address: str) -> None:
        self.answers: list[tuple[str, str]] = []
        self._stop, self._address = threading.Event(), address
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        with grpc.insecure_channel(self._address) as channel:
            stub = gateway_pb2_grpc.RecommenderStub(channel)
            while not self._stop.wait(0.05):  # twenty a second: the training wants some of the processor too
                request = gateway_pb2.RecommendRequest(user_id=len(self.answers) % 100, k=10)
                try:
                    answer = stub.Recommend(request, timeout=20)
                    self.answers.append(("OK", answer.model_version))
                except grpc.RpcError as error:
                    self.answers.append((error.code().name, ""))

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def model(stack: Stack, *words: str) -> int:
    """Exit code of a `sandbox model` command on the stack."""
    with pytest.raises(SystemExit) as done:
        main(["model", *words, "--run-dir", str(stack.run_dir), "--json"])
    return int(done.value.code or 0)


def served_by(asking: Asking, version: str) -> None:
    wait_for(lambda: asking.answers[-1] == ("OK", version), 30, f"an answer of {version}")


@pytest.mark.timeout(600)  # it trains
def test_a_model_is_trained_registered_promoted_and_rolled_back_while_every_request_is_answered(stack, capsys):
    run = stack.run
    with Asking(run.addresses["gateway"]) as asking:
        wait_for(lambda: ("OK", "rk-1") in asking.answers, 30, "an answer in full")
        subprocess.run([sys.executable, "-c", TRAIN, run.world_dir, str(run.registries[0])], check=True)
        assert artefacts.names(run.registries, "ranker") == ["rk-1", "rk-2"]

        assert model(stack, "promote", "rk-2", "--stage", "shadow") == 0
        wait_for(lambda: query(run.lake, "select 1 from shadow_scores where status = 'OK'").rows, 30, "a shadow score")
        assert {version for _, version in asking.answers} <= {"rk-1", ""}
        assert model(stack, "promote", "rk-2", "--stage", "live", "--expect", "rk-1") == 0
        served_by(asking, "rk-2")
        assert model(stack, "promote", "rk-2", "--stage", "live", "--expect", "rk-1") == 1
        assert model(stack, "rollback") == 0
        served_by(asking, "rk-1")

    assert {status for status, _ in asking.answers} == {"OK"}
    assert Config.load(stack.run_dir).model.shadow is None
    refused = json.loads(capsys.readouterr().err)
    assert (refused["code"], refused["seen"]) == ("MODEL-006", "rk-2")
    sql = "select version, from_stage, to_stage, replaced from stage_changes order by ts"
    moves = wait_for(lambda: len(found := query(run.lake, sql).rows) == 3 and found, 30, "three moves in the lake")
    assert moves == [
        ["rk-2", "candidate", "shadow", None], ["rk-2", "shadow", "live", "rk-1"], ["rk-1", "retired", "live", "rk-2"],
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_canary_whose_guard_is_stopped_serves_nobody(stack, number):
    artefact = artefacts.find(stack.run.registries, "ranker", "rk-1")
    again = artefact.manifest.model_copy(update={"version": "rk-3"})
    artefacts.register(stack.run.registries[0], again, {name: artefact.read(name) for name in again.files})
    words = ["model", "canary", "rk-3", "--minutes", "600", "--run-dir", str(stack.run_dir)]
    command = [sys.executable, "-m", "sandbox.cli.app", *words]
    guard = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=heard)
    try:
        document = wait_for(lambda: Config.load(stack.run_dir).model.canary, 60, "a canary")
        assert document.until_ts > stack.run.clock().now() + 600 * 60
        guard.send_signal(number)
        assert guard.wait(60) == (130 if number == signal.SIGINT else 128 + number)
    finally:
        guard.kill()
        guard.wait()

    assert Config.load(stack.run_dir).model.canary is None
    assert stages_of(Operations(stack.run)).stage_of("ranker", "rk-3") == "candidate"
