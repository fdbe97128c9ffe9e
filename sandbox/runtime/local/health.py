"""Is a process of the run healthy? `python -m sandbox.runtime.local.health NAME` exits with 0 when it is.

For containers and orchestrators; asks the same questions as the supervisor.
"""

from __future__ import annotations

import asyncio
import sys

from sandbox.base.errors import SandboxError
from sandbox.base.instances import service_of
from sandbox.base.run import PROCESSES, RunInfo
from sandbox.runtime.local.processes import Process, redis_answers
from sandbox.runtime.settings import ContainerSettings


async def healthy(name: str, settings: ContainerSettings) -> bool:
    """Raises RUN-007 for a process that no run has, RUN-001 when there is no run yet."""
    if service_of(name) not in PROCESSES:
        raise SandboxError(
            "RUN-007",
            where="health",
            seen=name,
            expected=f"one of {list(PROCESSES)}",
            fix="name a process of the stack",
        )
    if name == "redis":  # it may be asked before there is a run
        return await redis_answers(settings.redis)
    process = Process(name, RunInfo.load(settings.run_dir), "")
    try:
        return await process.check()
    finally:
        await process.forget_channel()


def main(argv: list[str]) -> int:
    """argv: NAME."""
    try:
        ok = asyncio.run(healthy(argv[0] if argv else "", ContainerSettings.read()))
    except SandboxError as error:
        print(error, file=sys.stderr)  # noqa: T201 read by whoever looks why a container is unhealthy
        return 1
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
