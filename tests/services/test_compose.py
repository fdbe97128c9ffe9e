"""docker-compose.yml without Docker: each service's very command and environment as a local process.

Container names become loopback with ports of this machine, and the volume /data a directory; nothing
else is changed. Docker itself is not run here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from sandbox.base.errors import SandboxError
from sandbox.base.run import CONTROLLED, GRPC_PROCESSES, PROCESSES, RunInfo
from sandbox.drill.play import typed
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import TOKEN, Endpoint, read_token
from sandbox.runtime.local import ports, unsupervised
from sandbox.runtime.local.unsupervised import Kept
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.settings import ContainerSettings
from sandbox.runtime.stack import Stack
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
from tests.services.asking import asked_enough, query
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

    def __init__(self, name: str, service: dict[str, Any], environment: dict[str, str], log: Path) -> None:
        self.name, self.service = name, service
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {"PATH": path, "HOME": str(log.parent), **environment}
        self.log = log
        self.start()

    def start(self) -> None:
        """Also once more, as Docker does with a process that has ended: `restart: unless-stopped`."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.service["command"], env=self.environment, cwd=ROOT, stdout=out, stderr=out
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
        asked_enough()
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
    assert set(settings.controls) == set(CONTROLLED)
    used = [*settings.addresses.values(), *settings.metrics.values(), *settings.controls.values(), settings.redis]
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
def test_each_service_becomes_healthy_by_its_own_check(containers: dict[str, Local], name: str) -> None:
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
    count = ("select count(*) from requests", "select count(*) from items", "select count(*) from redis_stats")
    wait_for(lambda: all(query(run.lake, sql).rows[0][0] > 0 for sql in count), 15, "rows in the lake")


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
        env=environment,
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 1


@pytest.mark.stack
def test_preparing_again_beside_a_running_stack_leaves_it_alone(containers: dict[str, Local]) -> None:
    before = run_of(containers)
    prepare = containers["prepare"]

    done = subprocess.run(
        prepare.service["command"], env=prepare.environment, cwd=ROOT, capture_output=True, timeout=60
    )

    assert done.returncode == 0
    assert run_of(containers) == before


def slate_ms(run: RunInfo, n: int = 5) -> float:
    """How long the quickest of n recommendations takes, wall milliseconds."""
    with grpc.insecure_channel(run.addresses["gateway"]) as channel:
        stub, took = gateway_pb2_grpc.RecommenderStub(channel), []
        for user in range(n):
            request = gateway_pb2.RecommendRequest(user_id=user, k=5)
            began = time.perf_counter()
            stub.Recommend(request, timeout=20, wait_for_ready=True)
            took.append((time.perf_counter() - began) * 1000)
    return min(took)


def armed_on(run: RunInfo, name: str) -> list[str]:
    return list(control.ask(Endpoint.of(run, name), "list")["ids"])


@pytest.mark.stack
def test_a_fault_is_armed_in_a_container_seen_and_taken_off_again(containers: dict[str, Local]) -> None:
    stack = Stack(run_of(containers).path)
    slow = "select count(*) from spans where service = 'gateway' and kind = 'client' and dur_ms > 90"
    before = slate_ms(stack.run)

    stack.arm("gateway", {"id": "c1", "fault": "rpc-edge-latency", "params": {"delay_ms": 90}})
    armed, ids = slate_ms(stack.run), armed_on(stack.run, "gateway")
    wait_for(lambda: query(stack.run.lake, slow).rows[0][0] > 0, 15, "slow spans in the lake")
    taken_off = stack.disarm("gateway", "c1")

    assert (ids, taken_off, armed_on(stack.run, "gateway")) == (["c1"], True, [])
    assert not stack.disarm("gateway", "c1")
    after = slate_ms(stack.run)
    assert armed - before > 90, "at least one edge of each slate is late"
    assert armed - after > 90


@pytest.mark.stack
@pytest.mark.parametrize(
    ("name", "spec", "code"),
    [
        ("gateway", {"id": "x", "fault": "no-such-fault"}, "FLT-001"),
        ("collector", {"id": "x", "fault": "rpc-edge-latency"}, "FLT-003"),
        ("redis", {"id": "x", "fault": "rpc-edge-latency"}, "RUN-007"),
    ],
)
def test_what_cannot_be_armed_in_a_container_is_refused_by_code(
    containers: dict[str, Local], name: str, spec: dict[str, object], code: str
) -> None:
    with pytest.raises(SandboxError, match=code):
        Stack(run_of(containers).path).arm(name, spec)


@pytest.mark.stack
def test_a_container_takes_no_order_without_the_token_of_its_run(containers: dict[str, Local]) -> None:
    run = run_of(containers)
    for token in ("", "0" * 64):
        with pytest.raises(SandboxError, match="RUN-010"):
            control.ask(Endpoint(run.controls["gateway"], token), "arm", id="x", fault="rpc-edge-latency")

    assert armed_on(run, "gateway") == []


def content(path: Path) -> bytes:
    """Of a file of a lake that lives on: the collector may have compacted it away meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@pytest.mark.stack
def test_the_token_is_one_users_and_in_no_argument_log_or_row(containers: dict[str, Local]) -> None:
    run = run_of(containers)
    token = read_token(run.path)

    assert stat.S_IMODE((run.path / TOKEN).stat().st_mode) == 0o600
    assert not any(token in line for line in processes_of(run.path.parent))
    assert not any(token in str(one.process.args) for one in containers.values())
    files = [path for path in run.path.parent.rglob("*") if path.is_file() and path.name != TOKEN]
    assert len(files) > len(containers), "logs and the lake are among them"
    assert [path for path in files if token.encode() in content(path)] == []


@pytest.mark.stack
def test_status_asks_every_container(containers: dict[str, Local]) -> None:
    def told() -> dict[str, Any]:
        return Stack(run_of(containers).path).status()

    document = wait_for(lambda: (d := told())["ready"] and d, 60, "ready")

    assert [row["name"] for row in document["services"]] == list(PROCESSES)
    assert {row["state"] for row in document["services"]} == {"ready"}
    assert {row["pid"] for row in document["services"]} == {None}, "of another container"


@pytest.mark.stack
def test_operations_reach_the_containers_and_are_reverted(containers: dict[str, Local]) -> None:
    operations = Operations(run_of(containers))

    record = typed.act("breaker caller=gateway callee=ranking switch=on open_s=10", operations)
    reverted = typed.act(f"revert change={record.n}", operations)

    assert (reverted.old, reverted.new) == (record.new, record.old)
    assert record.new != record.old


@pytest.mark.stack
def test_what_needs_a_supervisor_is_refused_with_what_does_it_instead(containers: dict[str, Local]) -> None:
    stack = Stack(run_of(containers).path)
    with pytest.raises(SandboxError, match="docker compose restart redis") as restart:
        stack.restart("redis")
    with pytest.raises(SandboxError, match="docker compose down") as down:
        stack.down()
    with pytest.raises(SandboxError, match="RUN-002"):
        Stack.up("tiny", run_dir=stack.run_dir)

    assert {restart.value.kind.code, down.value.kind.code} == {"RUN-011"}
    assert stack.alive


@pytest.mark.stack
def test_a_restart_is_an_order_to_end_and_dockers_to_start_again(containers: dict[str, Local]) -> None:
    run, rules = run_of(containers), containers["rules"]
    assert rules.service["restart"] == "unless-stopped"
    with ThreadPoolExecutor(1) as other:
        restarting = other.submit(typed.act, "restart service=rules", Operations(run))
        assert rules.process.wait(20) == 0, "it has drained"
        assert not restarting.done()
        rules.start()
        record = restarting.result(90)

    assert (record.op, record.target) == ("restart", "rules")
    assert rules.passes_its_health_check()


@pytest.mark.stack
def test_a_restart_that_nobody_completes_is_said_in_time(containers: dict[str, Local]) -> None:
    run, rules = run_of(containers), containers["rules"]
    try:
        with pytest.raises(SandboxError, match="RUN-003"):
            unsupervised.restart(run, "rules", within_s=3.0)
        assert rules.process.wait(20) == 0
        with pytest.raises(SandboxError, match="RUN-001"):
            unsupervised.restart(run, "rules")
    finally:
        rules.start()
        wait_for(rules.passes_its_health_check, 60, "rules healthy")


@pytest.mark.stack
def test_a_container_that_was_restarted_gets_its_wrappers_again(containers: dict[str, Local]) -> None:
    run, ranking = run_of(containers), containers["ranking"]
    kept = Kept(run)
    kept.arm("ranking", {"id": "c2", "fault": "rpc-edge-latency", "params": {"delay_ms": 1}})
    ranking.process.send_signal(signal.SIGTERM)
    assert ranking.process.wait(20) == 0
    kept.look()  # it is away: nothing is raised, nothing hangs
    ranking.start()
    wait_for(ranking.passes_its_health_check, 60, "ranking healthy")
    assert armed_on(run, "ranking") == []

    kept.look()

    assert armed_on(run, "ranking") == ["c2"]
    assert kept.disarm("ranking", "c2")
    kept.look()
    assert armed_on(run, "ranking") == []


@pytest.mark.stack
@pytest.mark.slow
def test_a_drill_is_played_on_the_containers_from_its_start_to_its_grade(containers: dict[str, Local]) -> None:
    run = run_of(containers)
    drill = ("drill", "start", "--gentlest", "--run-dir", run.run_dir, "--seed", "5", "--autopilot", "--no-twin", "--json")  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-m", "sandbox.cli.app", *drill], env=containers["gateway"].environment, cwd=ROOT, capture_output=True,
        text=True, timeout=500, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["reported_incident"], done.stderr
    assert document["score"] > document["baseline_score"]
    assert Stack(run.path).alive, "the containers are not the drill's to take down"
    assert all(armed_on(run, name) == [] for name in GRPC_PROCESSES)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SANDBOX_RUN_DIR", ""), ("SANDBOX_SPEED", "fast"), ("SANDBOX_ADDRESSES", "gateway=7107"),
     ("SANDBOX_METRICS", "gateway:7207"), ("SANDBOX_CONTROLS", "gateway=:7307"), ("SANDBOX_SEED", "one")],
)  # fmt: skip
def test_a_malformed_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SandboxError) as refused:
        ContainerSettings.read({"SANDBOX_RUN_DIR": "/data/run", name: value})

    assert refused.value.kind.code == "CFG-001"
    assert name in refused.value.where
