"""services.skeleton.replica in the memory of a virtual run: what a replica that is held back still has."""

from __future__ import annotations

from sandbox.virtual.processes.tables import Table, Written


class Replica:
    """is_read: whether who serves reads from it. held_s: for how long it is held this time, wall seconds."""

    def __init__(self) -> None:
        self.is_there = self.is_read = False
        self.until = self.held_s = 0.0
        self.clear()

    def clear(self) -> None:
        """It has what the store has."""
        self._tables: dict[str, Table] = {}  # batch views written since, as they were
        self._rows: dict[tuple[str, int], Written | None] = {}  # others, as they were; None for no row
        self.is_held = False

    def hold(self, now: float, lag_s: float) -> None:
        """From `now` on, wall seconds, unless it is held already."""
        if self.is_there and not self.is_held:
            self.is_held, self.until, self.held_s = True, now + lag_s, lag_s

    def behind_s(self, now: float) -> float:
        """For how long it has been standing still, wall seconds."""
        return max(0.0, now - (self.until - self.held_s)) if self.is_held else 0.0

    def leave(self, view: str, table: Table) -> None:
        """A batch view before some of its rows are written."""
        if self.is_held and view not in self._tables:
            self._tables[view] = table.copy()

    def leave_row(self, view: str, id: int, row: Written | None) -> None:
        if self.is_held:
            self._rows.setdefault((view, id), row)

    def table(self, view: str, now: Table) -> Table:
        """As a reader finds it. now: as it is in the store."""
        return self._tables.get(view, now) if self.is_read else now

    def row(self, view: str, id: int, now: Written | None) -> Written | None:
        return self._rows.get((view, id), now) if self.is_read else now
