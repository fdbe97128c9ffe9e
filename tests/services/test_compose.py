"""docker-compose.yml without Docker: each service's very command and environment as a local process.

Container names become loopback with ports of this machine, and the volume /data a directory; nothing
else is changed. Docker itself is not run here.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from sandbox.base.errors import SandboxError
from sandbox.base.run import GRPC_PROCESSES, PROCESSES, RunInfo
from sandbox.runtime.local import ports
from sandbox.runtime.settings import ContainerSettings
from sandbox.telemetry.sql import query
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
from tests.services.waiting import processes_of, wait_for

pytestmark = pytest.mark.timeout(600)  # thirteen interpreters start, one health check after another
ROOT = Path(__file__).resolve().parents[2]
ONE_SHOT = ("prepare", "publish")
FOREIGN = ("prometheus",)  # images that are not ours


def document() -> dict[str, Any]:
    """The file, with ${NAME:-default} filled in as Compose does."""
    text = (ROOT / "docker-compose.yml").read_text()
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda m: os.environ.get(m[1], m[2]), text)
    return dict(yaml.safe_load(filled))


def environment_of(name: str) -> dict[str, str]:
    return {k: str(v) for k, v in document()["services"][name]["environment"].items()}


class Local:
    """One service of the file as a process of this machine."""

    def __init__(
        self, name: str, service: dict[str, Any], environment: dict[str, str], log: Path
    ) -> None:
        self.name, self.service = name, service
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {"PATH": path, "HOME": str(log.parent), **environment}
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                service["command"], env=self.environment, cwd=ROOT, stdout=out, stderr=out
            )

    def passes_its_health_check(self) -> bool:
        assert self.process.poll() is None, f"{self.name} ended:\n{self.log.read_text()[-2000:]}"
        kind, *test = self.service["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(test, env=self.environment, cwd=ROOT, capture_output=True, timeout=60)
        return done.returncode == 0


@pytest.fixture(scope="module")
def containers(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Local]]:
    """All services of the file, started in the order that it demands."""
    data = tmp_path_factory.mktemp("data")
    (data / "worlds").symlink_to(home / "worlds")
    services = {n: s for n, s in document()["services"].items() if n not in FOREIGN}
    places = sorted(set(re.findall(r"[a-z]+:\d+", " ".join(environment_of("gateway").values()))))
    free = ports.pick(len(places), data)
    local = {place: f"{ports.LOOPBACK}:{port}" for place, port in zip(places, free, strict=True)}
    running: dict[str, Local] = {}

    def start(name: str) -> None:
        if name in running:
            return
        for before, how in services[name].get("depends_on", {}).items():
            start(before)
            if how["condition"] == "service_completed_successfully":
                assert running[before].process.wait(150) == 0, running[before].log.read_text()
            else:
                wait_for(running[before].passes_its_health_check, 120, f"{before} healthy")
        environment = {
            key: re.sub(r"[a-z]+:\d+", lambda m: local[m[0]], value).replace("/data", str(data))
            for key, value in environment_of(name).items()
        }
        environment["SANDBOX_WORLD"] = "tiny"  # a variable of the file's own
        running[name] = Local(name, services[name], environment, data / f"{name}.log")

    try:
        for name in services:
            start(name)
        yield running
    finally:
        for one in reversed(running.values()):
            one.process.send_signal(signal.SIGTERM)
        for one in running.values():
            try:
                one.process.wait(20)
            except subprocess.TimeoutExpired:
                one.process.kill()
        left = processes_of(data)
    assert left == []


def run_of(containers: dict[str, Local]) -> RunInfo:
    return RunInfo.load(Path(containers["gateway"].environment["SANDBOX_RUN_DIR"]))


def test_every_process_of_a_run_is_a_service_with_a_health_check() -> None:
    services = document()["services"]

    assert set(PROCESSES) <= set(services)
    assert set(services) == {*PROCESSES, *ONE_SHOT, *FOREIGN}
    assert all("healthcheck" in services[name] for name in services if name not in ONE_SHOT)
    settings = ContainerSettings.read(environment_of("gateway"))
    assert set(settings.addresses) == set(settings.metrics) == set(GRPC_PROCESSES)
    used = [*settings.addresses.values(), *settings.metrics.values(), settings.redis]
    assert len({place.split(":")[1] for place in used}) == len(used)  # also on one machine
    assert all(place.split(":")[0] in services for place in used)


def test_prometheus_scrapes_exactly_the_metrics_ports_of_the_file() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())

    targets = config["scrape_configs"][0]["static_configs"][0]["targets"]
    settings = ContainerSettings.read(environment_of("gateway"))
    assert sorted(targets) == sorted(settings.metrics.values())


def test_the_image_copies_what_the_package_is_made_of() -> None:
    text = (ROOT / "Dockerfile").read_text()

    for path in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        for source in path.split():
            assert (ROOT / source).exists(), source
    for package in ("sandbox", "services", "faults", "loadtest", "scenarios"):
        assert f"COPY {package} {package}" in text


@pytest.mark.stack
@pytest.mark.parametrize("name", PROCESSES)
def test_each_service_becomes_healthy_by_its_own_check(
    containers: dict[str, Local], name: str
) -> None:
    wait_for(containers[name].passes_its_health_check, 60, f"{name} healthy")


@pytest.mark.stack
def test_the_containers_together_recommend_and_tell_the_lake(containers: dict[str, Local]) -> None:
    run = run_of(containers)
    assert containers["publish"].process.wait(60) == 0

    with grpc.insecure_channel(run.addresses["gateway"]) as channel:
        stub = gateway_pb2_grpc.RecommenderStub(channel)
        request = gateway_pb2.RecommendRequest(user_id=3, k=5)
        slate = stub.Recommend(request, timeout=20, wait_for_ready=True)

    assert len(slate.items) == 5
    count = (
        "select count(*) from requests",
        "select count(*) from items",
        "select count(*) from redis_stats",
    )
    wait_for(
        lambda: all(query(run.lake, sql).rows[0][0] > 0 for sql in count), 15, "rows in the lake"
    )


@pytest.mark.stack
def test_every_service_answers_a_scrape(containers: dict[str, Local]) -> None:
    for address in run_of(containers).metrics.values():
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            assert b"recsys_inflight" in answer.read()


@pytest.mark.stack
def test_a_health_check_fails_where_nothing_runs(containers: dict[str, Local]) -> None:
    gateway = containers["gateway"]
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        nobody = f"{ports.LOOPBACK}:{server.getsockname()[1]}"
    environment = {**gateway.environment, "SANDBOX_REDIS": nobody}

    done = subprocess.run(
        [sys.executable, "-m", "sandbox.runtime.local.health", "redis"],
        env=environment, cwd=ROOT, capture_output=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1


@pytest.mark.stack
def test_preparing_again_beside_a_running_stack_leaves_it_alone(
    containers: dict[str, Local],
) -> None:
    before = run_of(containers)
    prepare = containers["prepare"]

    done = subprocess.run(
        prepare.service["command"],
        env=prepare.environment,
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 0
    assert run_of(containers) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("SANDBOX_RUN_DIR", ""), ("SANDBOX_SPEED", "fast"), ("SANDBOX_ADDRESSES", "gateway=7107"),
     ("SANDBOX_METRICS", "gateway:7207"), ("SANDBOX_SEED", "one")],
)  # fmt: skip
def test_a_malformed_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SandboxError) as refused:
        ContainerSettings.read({"SANDBOX_RUN_DIR": "/data/run", name: value})

    assert refused.value.kind.code == "CFG-001"
    assert name in refused.value.where
