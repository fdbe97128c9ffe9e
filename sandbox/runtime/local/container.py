"""Entry points for containers, in which no supervisor runs: `python -m sandbox.runtime.local.container WHAT`.

prepare writes the run directory that all containers share, building the world first; redis runs the
store on its address. Every other container runs `python -m sandbox.runtime.local.child NAME`.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from sandbox.base.config import Config, RedisConfig
from sandbox.base.errors import SandboxError
from sandbox.base.instances import SCALABLE, service_of
from sandbox.base.run import CONTROLLED, GRPC_PROCESSES, RunInfo
from sandbox.base.worlds import load_manifest
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import TOKEN, Endpoint, make_token
from sandbox.runtime.building import ensure_built
from sandbox.runtime.local.redis_server import find_redis, settings_of
from sandbox.runtime.rundir import disk_error, point_latest_to, require_space
from sandbox.runtime.settings import ContainerSettings


def prepare(settings: ContainerSettings) -> RunInfo:
    """A fresh run directory with a token of its own; one whose collector runs is left as it is.

    Raises CFG-001 when a process has no address, RUN-005, RUN-010 when a collector runs there that does not
    know the directory's token, WORLD-*, MODEL-*.
    """
    further = [process for process in settings.addresses if process != service_of(process)]
    for name, pairs, processes in (
        ("SANDBOX_ADDRESSES", settings.addresses, GRPC_PROCESSES),
        ("SANDBOX_METRICS", settings.metrics, (*GRPC_PROCESSES, *further)),
        ("SANDBOX_CONTROLS", settings.controls, (*CONTROLLED, *further)),
    ):
        missing = [process for process in processes if process not in pairs]
        if missing:
            raise SandboxError(
                "CFG-001",
                where=f"environment {name}",
                seen=f"nothing for {', '.join(missing)}",
                expected="name=host:port for every process",
                fix="see docker-compose.yml",
            )
    run_dir = settings.run_dir
    if (there := _running(run_dir)) is not None:
        return there  # `docker compose up` runs this again beside a stack that is up
    try:
        shutil.rmtree(run_dir, ignore_errors=True)
        (run_dir / "logs").mkdir(parents=True)
        require_space(run_dir)
        world_dir = ensure_built(settings.world, _say)
        run = RunInfo(
            run_dir=str(run_dir), world=settings.world, world_dir=str(world_dir),
            world_start=load_manifest(settings.world).history_end_ts, wall_start=time.time(),
            speed=settings.speed, seed=settings.seed, redis=settings.redis,
            addresses=settings.addresses, metrics=settings.metrics, controls=settings.controls,
        )  # fmt: skip
        Config().with_replicas({service: len(run.instances(service)) for service in SCALABLE}).save(run_dir)
        make_token(run_dir)
        run.save()
        point_latest_to(run_dir)
    except OSError as error:
        raise disk_error(run_dir, error) from error
    return run


def _running(run_dir: Path) -> RunInfo | None:
    """The run whose collector answers. Raises RUN-010 when it does not take the directory's token."""
    try:
        there = RunInfo.load(run_dir)
        control.ask(Endpoint.of(there, "collector"), "ping", timeout_s=2)
        return there
    except SandboxError as error:
        if error.kind.code == "RUN-010" and (run_dir / TOKEN).exists():
            raise
        return None


def run_redis(settings: ContainerSettings) -> None:
    """Becomes the store. Raises CFG-001 for a malformed address, RUN-004."""
    host, _, port = settings.redis.rpartition(":")
    if not host or not port.isdigit():
        raise SandboxError(
            "CFG-001",
            where="environment SANDBOX_REDIS",
            seen=settings.redis,
            expected="host:port",
            fix="see docker-compose.yml",
        )
    executable = find_redis()
    # Reachable from the other containers only: the compose file publishes no port of it.
    place = ["--bind", host, "--port", port, "--protected-mode", "no"]
    own = settings_of(Path(os.environ.get("TMPDIR", "/tmp")), RedisConfig())  # it may start before there is a run
    os.execv(executable, [executable, *place, *own])


_said: set[str] = set()


def _say(what: str, share: float | None = None) -> None:
    if what not in _said:
        _said.add(what)
        print(f"info {what}", flush=True)  # noqa: T201 the container's log


def main(argv: list[str]) -> int:
    """argv: prepare or redis."""
    try:
        settings = ContainerSettings.read()
        if argv == ["prepare"]:
            run = prepare(settings)
            print(f"info run directory {run.run_dir} is ready", flush=True)  # noqa: T201
        elif argv == ["redis"]:
            run_redis(settings)
        else:
            raise SandboxError(
                "CFG-004",
                where="sandbox.runtime.local.container",
                seen=argv,
                expected="prepare or redis",
                fix="see docker-compose.yml",
            )
    except SandboxError as error:
        print(f"error {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
