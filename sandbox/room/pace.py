"""How far a world that is paced by the wall clock should have come. The clock is read by whoever asks."""

from __future__ import annotations

MOST_STEP_S = (
    2.0  # wall seconds that count at once: a machine that slept, or a clock that jumped, moves no world by hours
)
MOST_AT_ONCE_S = 15.0  # world seconds of one advance, so that whoever asks in between waits for no more


class Pace:
    """World time that is due. What a slow machine does not get done is not owed for ever: at most `MOST_BEHIND_S`."""

    MOST_BEHIND_S = 60.0

    def __init__(self) -> None:
        self._last: float | None = None
        self._due_s = 0.0

    def due_s(self, wall: float, rate: float) -> float:
        """World seconds to go on by now. wall: monotonic seconds. rate: world seconds per wall second, 0 while the
        world stands still. Takes from what is due what it returns."""
        last, self._last = self._last, wall
        if last is not None:
            self._due_s += min(max(0.0, wall - last), MOST_STEP_S) * rate
        self._due_s = min(self._due_s, max(self.MOST_BEHIND_S, MOST_STEP_S * rate)) if rate else 0.0
        step = max(0.0, min(self._due_s, MOST_AT_ONCE_S))
        self._due_s -= step
        return step

    def went(self, seconds: float) -> None:
        """The world went on by so much for another reason, which counts."""
        self._due_s -= seconds
