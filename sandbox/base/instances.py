"""The instances of a service: how many there may be, and what each is called, in one place.

A service has instances 0, 1, ...; an instance is named by service and number, as telemetry and scopes name it. The
process in which it runs is called as its service where it is the first, as the instance elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.base.errors import SandboxError

# Services whose every call stands by itself, so that any instance may answer it. The gateway's clients know one
# address, the events service remembers in memory what it has taken in, and the stream has one reader.
SCALABLE = ("features", "model", "retrieval", "ranking", "rules")
MOST = 4  # instances of one service: each is a process with its models in memory, on few cores
_NAME = re.compile(r"([a-z]+)-(0|[1-9][0-9]*)")


def named(service: str, n: int = 0) -> str:
    """The n-th instance of a service."""
    return f"{service}-{n}"


def process_of(instance: str) -> str:
    """What the process of an instance is called."""
    service, n = split(instance)
    return instance if n else service


def instance_of(process: str) -> str:
    """The instance that runs in a process. process: as `process_of` names it; an instance stays what it is."""
    return process if _NAME.fullmatch(process) else named(process)


def service_of(process: str) -> str:
    """The service of a process or of an instance."""
    return split(process)[0]


def split(name: str) -> tuple[str, int]:
    """Service and number of a process or of an instance."""
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, 0)


def meant(name: str, there: Iterable[str], where: str) -> list[str]:
    """Of the processes that are there those that a name stands for: one, or all of a service. where: for the error.

    Raises RUN-007 for what is not there.
    """
    known = list(there)
    mine = [process for process in known if name in (service_of(process), instance_of(process))]
    if not mine:
        raise SandboxError(
            "RUN-007", where=where, seen=name, expected=f"one of {sorted(known)}", fix="see `sandbox status`"
        )
    return mine


def instances(service: str, n: int) -> tuple[str, ...]:
    """The names of n instances."""
    return tuple(named(service, i) for i in range(n))


def processes(services: tuple[str, ...], replicas: dict[str, int]) -> tuple[str, ...]:
    """All processes of those services, each service's together. replicas: service -> instances, 1 where none is said."""
    return tuple(process_of(name) for service in services for name in instances(service, replicas.get(service, 1)))


def every_name() -> tuple[str, ...]:
    """All instances that there can be of services which have several."""
    return tuple(name for service in SCALABLE for name in instances(service, MOST))
