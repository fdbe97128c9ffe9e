"""Locks between processes, each a file that is held. The kernel lets go of one with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until nobody else holds it. The file is made where there is none, for this user alone; its folder has to
    be there. Raises OSError."""
    with _open(path) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield


@contextmanager
def at_once(path: Path, *, shared: bool = False) -> Iterator[None]:
    """As `alone`, but raises BlockingIOError where somebody holds it. shared: others may too who only share it."""
    with _open(path) as fd:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        yield


def is_held(path: Path) -> bool:
    """Whether some process holds it for itself alone. A file that cannot be opened is held by nobody."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


@contextmanager
def _open(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
