"""Several rooms opened, or taken up, side by side: each world is begun by a process of its own, and a machine has cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.room.room import Room

Make = Callable[[ProgressFn], Room]
CORES = os.cpu_count() or 1


def side_by_side(makes: Sequence[Make], progress: ProgressFn = quiet, cores: int = CORES) -> list[Room | SandboxError]:
    """What each came to, in their order. The first is made alone, for it builds what all of them need and is not there yet.

    cores: how many are made at once. What is no SandboxError, Ctrl-C among it, is raised once those that were begun are
    closed again."""
    made: list[Room | SandboxError] = [_made(make, progress) for make in makes[:1]]
    pool = ThreadPoolExecutor(max(1, cores), "opens")
    futures: list[Future[Room | SandboxError]] = []
    try:
        futures = [pool.submit(_made, make, quiet) for make in makes[1:]]
        for n, _ in enumerate(as_completed(futures), 2):
            progress("rooms", n / len(makes))
        return [*made, *(future.result() for future in futures)]
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        found = [future.result() for future in futures if not future.cancelled() and future.exception() is None]
        close_all([*made, *found])
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def close_all(made: Sequence[Room | SandboxError]) -> None:
    for room in made:
        if isinstance(room, Room):
            room.close()


def _made(make: Make, progress: ProgressFn) -> Room | SandboxError:
    try:
        return make(progress)
    except SandboxError as error:
        return error
