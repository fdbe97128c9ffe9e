"""Several rooms opened, or taken up, side by side: each world is begun by a process of its own, and a machine has cores."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.room.room import Room

Make = Callable[[ProgressFn], Room]
Made = Room | SandboxError
CORES = os.cpu_count() or 1


def side_by_side(makes: Sequence[Make], progress: ProgressFn = quiet, cores: int = CORES) -> list[Made]:
    """What each came to, in their order. The first is made alone, for it builds what all of them need and is not there yet.

    cores: how many are made at once. What is no SandboxError, Ctrl-C among it, is raised at once, and rooms that are made by
    then are closed; worlds that are being begun end with this process, on which nobody waits for them."""
    made: dict[int, Made] = {n: _made(make, progress) for n, make in enumerate(makes[:1])}
    left: queue.SimpleQueue[tuple[int, Make]] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[int, Made | BaseException]] = queue.SimpleQueue()
    for n, make in enumerate(makes[1:], 1):
        left.put((n, make))
    try:
        for _ in range(min(max(1, cores), len(makes) - 1)):
            threading.Thread(target=_work, args=(left, ended), name="opens", daemon=True).start()
        for count in range(2, len(makes) + 1):
            n, found = ended.get()
            if isinstance(found, BaseException) and not isinstance(found, SandboxError):
                raise found
            made[n] = found
            progress("rooms", count / len(makes))
    except BaseException:
        close_all(list(made.values()))
        raise
    return [made[n] for n in range(len(makes))]


def close_all(made: Sequence[Made]) -> None:
    for room in made:
        if isinstance(room, Room):
            room.close()


def _work(
    left: queue.SimpleQueue[tuple[int, Make]], ended: queue.SimpleQueue[tuple[int, Made | BaseException]]
) -> None:
    while True:
        try:
            n, make = left.get_nowait()
        except queue.Empty:
            return
        try:
            ended.put((n, _made(make, quiet)))
        except BaseException as error:  # the edge of a thread: whoever waits has to have it
            ended.put((n, error))
            return


def _made(make: Make, progress: ProgressFn) -> Made:
    try:
        return make(progress)
    except SandboxError as error:
        return error
