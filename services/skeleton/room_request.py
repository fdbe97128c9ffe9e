"""How a process asks for its room: by the clock, while something is put on the point `process`."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.base.errors import SandboxError
from services.skeleton.room import Room
from services.skeleton.seams import Call, Seams, Wrapper, payload_of


class RoomRequest:
    """log: is told once of wrappers that fail; the process then has what its settings give it."""

    def __init__(self, seams: Seams, service: str, log: Callable[..., None]) -> None:
        self._seams, self._service, self._log = seams, service, log
        self._tick, self._failing = 0, tuple[Wrapper, ...]()

    def room(self, usual: Room) -> Room:
        """What it has now. usual: what its settings give it."""
        self._tick, seam = self._tick + 1, self._seams.process
        call = Call("process", self._service, self._service, "tick", position=self._tick, payload=usual)
        try:
            given: Room = seam.run_sync(call, payload_of)
        except SandboxError as error:
            if seam.wrappers != self._failing:
                self._log("error", "limits of the process not known", code=error.kind.code)
            self._failing = seam.wrappers
            return usual
        return given
