"""What a batch job is told to do, on either backend."""

from __future__ import annotations

from dataclasses import dataclass

ROWS_PER_WRITE = 500  # about 100 kB: the store answers others between two writes


@dataclass(frozen=True)
class JobRun:
    """One run of the job that writes a view. until: event time up to which input counts, world seconds.
    passes: how often every row is written; more than once where the past is gone through again.
    rows_per_write: rows of one command to the store, which answers nobody else meanwhile.
    """

    view: str
    until: float
    passes: int = 1
    rows_per_write: int = ROWS_PER_WRITE

    @property
    def usual(self) -> bool:
        """Whether it is as gentle as a run of every day."""
        return self.passes == 1 and self.rows_per_write <= ROWS_PER_WRITE
