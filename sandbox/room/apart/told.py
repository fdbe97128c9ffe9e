"""What a room is told of its world's process."""

from __future__ import annotations

import threading
from contextlib import suppress

from sandbox.base.errors import SandboxError
from sandbox.room.apart.desk import DeskApart
from sandbox.room.commands import Inject
from sandbox.room.events import INSTRUCTOR, SERVER
from sandbox.room.room import Room


def tell_of_its_process(room: Room, desk: DeskApart) -> None:
    """When it ends, the room says so; when its world was taken up, what was done there and never told is told."""

    def tell(text: str) -> None:
        room.submit(INSTRUCTOR, Inject(kind="inject", sender=SERVER, text=text))

    def catch_up() -> None:
        with suppress(SandboxError, RuntimeError):  # the room ends meanwhile
            room.take_up()

    desk.tell = tell
    # It comes from the desk's thread, which is not done yet, and is where the room catches up.
    desk.taken_up = lambda: threading.Thread(target=catch_up, name=f"catches-up-{room.code}", daemon=True).start()
