"""What the tools stand on: somebody's seat in a room, wherever the room is."""

from __future__ import annotations

from typing import Any, Protocol


class Seat(Protocol):
    """Every document is what a participant of the room is given, and nothing else."""

    def state(self) -> dict[str, Any]:
        """`TraineeState` or `ObserverState`."""
        ...

    def words(self) -> dict[str, Any]:
        """What reports, actions and queries are made of."""
        ...

    def overview(self) -> dict[str, Any]: ...

    def give(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Gives a command. Returns `what` of the event that tells what came of it, with its `seq`. Raises SandboxError."""
        ...

    def wait(self, seconds: float, *, to_the_page: bool) -> None:
        """Until so many world seconds went by, the page came if that is asked for, or the drill is over; or a while of wall
        time went by in which neither was so."""
        ...

    def close(self) -> None:
        """Leaves the room."""
        ...
