"""The latest ids of events, as many as there is room for. Pure."""

from __future__ import annotations

MOST = 100_000  # about 10 MB


class Remembered:
    """Whoever comes when there is no more room takes the place of the oldest."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._ids = most, dict[str, None]()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def add(self, event_id: str) -> None:
        self._ids[event_id] = None
        while len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]
