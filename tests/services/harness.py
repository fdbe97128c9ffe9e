"""A small world, a real Redis, and services inside the test's own process, each on its own port."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.features import N_TOPICS
from sandbox.base.run import PROCESSES, RunInfo
from sandbox.runtime.local.ports import LOOPBACK, pick
from sandbox.runtime.local.redis_server import command, find_redis
from services.skeleton.host import Host, serve
from tests.services.waiting import answering, wait_for

N_USERS, N_ITEMS, N_CREATORS = 20, 60, 6
WORLD_START = 1_772_000_000.0
NO_CONSENT, BLOCKER = 5, 6  # users: one who gave no consent, one who blocked creator 0


def catalogue() -> Catalogue:
    """Items 0..9 are for adults, 10..14 carry a label, 15..19 have no rights in region 0, item 59 is not
    out yet. Everybody lives in region 0 but user 1, who lives in region 1."""
    maturity = np.zeros(N_ITEMS, np.int8)
    maturity[:10] = 18
    sensitivity = np.zeros(N_ITEMS, np.int8)
    sensitivity[10:15] = 1
    regions = np.full(N_ITEMS, 0b1111111, np.uint16)
    regions[15:20] = 0b1111110
    published = WORLD_START - np.arange(N_ITEMS) * 3600.0 - 10
    published[59] = WORLD_START + 1e7
    region = np.zeros(N_USERS, np.int8)
    region[1] = 1
    blocked = np.zeros(N_USERS + 1, np.int64)
    blocked[BLOCKER + 1 :] = 1
    users, items = np.zeros(N_USERS, np.int8), np.zeros(N_ITEMS, np.float32)
    return Catalogue(
        item_topics=np.eye(N_TOPICS, dtype=np.float32)[np.arange(N_ITEMS) % 6],
        item_creator=(np.arange(N_ITEMS) % N_CREATORS).astype(np.int32),
        item_language=np.zeros(N_ITEMS, np.int8), item_maturity=maturity,
        item_sensitivity=sensitivity, item_sens_score=items, item_regions=regions,
        item_published_ts=published, item_duration_s=items + 60, item_price=items,
        item_sponsored=np.zeros(N_ITEMS, bool), creator_group=np.zeros(N_CREATORS, np.int8),
        creator_followers=np.ones(N_CREATORS, np.int32), user_region=region, user_language=users,
        user_age_band=users, user_gender=users, user_personalised=np.arange(N_USERS) != NO_CONSENT,
        user_created_ts=np.zeros(N_USERS), follows_indptr=np.zeros(N_USERS + 1, np.int64),
        follows_creator=np.zeros(0, np.int32), blocked_indptr=blocked,
        blocked_creator=np.zeros(1, np.int32),
    )  # fmt: skip


def free_addresses(folder: Path, attempt: int = 0) -> tuple[dict[str, str], dict[str, str]]:
    """Of every process the address of its server and of its metrics, none that an outgoing call could take."""
    ports = [f"{LOOPBACK}:{port}" for port in pick(2 * len(PROCESSES), folder, attempt)]
    n = len(PROCESSES)
    return dict(zip(PROCESSES, ports[:n], strict=True)), dict(zip(PROCESSES, ports[n:], strict=True))


def make_run(folder: Path, config: Config | None = None, speed: float = 1.0) -> RunInfo:
    """A run directory with the small world in it; nothing is started."""
    (folder / "public").mkdir()
    catalogue().save(folder / "public" / "catalogue.npz")
    (config or Config()).save(folder)
    return RunInfo(
        str(folder), "small", str(folder), WORLD_START, time.time(), speed, 1,
        str(folder / "redis.sock"), *free_addresses(folder),
    )  # fmt: skip


def answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@contextmanager
def redis_at(run: RunInfo):
    """The store of the run, answering; killed at the end."""
    process = subprocess.Popen(command(find_redis(), run.path, run.redis), stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(run.redis), 5, "a store that answers")
        yield process
    finally:
        process.kill()
        process.wait()
        Path(run.redis).unlink(missing_ok=True)


@asynccontextmanager
async def serving(run: RunInfo, *registrations):
    """The services, answering: their hosts by name."""
    stop, tasks, hosts = asyncio.Event(), {}, {}
    for registration in registrations:
        host = hosts[registration.name] = Host(registration.name, run, f"{registration.name}-0")
        tasks[registration.name] = asyncio.create_task(serve(host, registration, stop))
    try:
        for name, task in tasks.items():
            await answering(run.addresses[name], task)
        yield hosts
    finally:
        stop.set()
        await asyncio.gather(*tasks.values())


def rows(host: Host, table: str) -> list[tuple]:
    """What the service has written to that table; no collector takes it away here."""
    return host.telemetry._rows[table]
