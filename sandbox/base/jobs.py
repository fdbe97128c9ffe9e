"""What a batch job is told to do, on either backend."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.base.clock import DAY_S

ROWS_PER_WRITE = 500  # about 100 kB: the store answers others between two writes
WINDOW_S = 28 * DAY_S  # world seconds of input behind the batch views


@dataclass(frozen=True)
class JobRun:
    """One run of the job that writes a view. until: event time up to which input counts, world seconds.
    passes: how often every row is written; more than once where the past is gone through again.
    rows_per_write: rows of one command to the store, which answers nobody else meanwhile.
    since: event time from which input counts, world seconds. An incremental run has one, and writes the rows of those
    of whom something was heard from then on; None: the whole window that the view looks back on, and every row.
    """

    view: str
    until: float
    passes: int = 1
    rows_per_write: int = ROWS_PER_WRITE
    since: float | None = None

    @property
    def usual(self) -> bool:
        """Whether it is as gentle as a run of every day."""
        return self.passes == 1 and self.rows_per_write <= ROWS_PER_WRITE

    @property
    def window_start(self) -> float:
        """World seconds. At or after `until` in a run whose window is empty."""
        return self.until - WINDOW_S if self.since is None else self.since

    def counts(self, ts: float) -> bool:
        """Whether input of that event time is the run's. What came while it was read counts as in time."""
        return self.since is None or (self.since <= ts and self.since < self.until)
