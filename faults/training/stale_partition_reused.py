from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from faults import relations
from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work

DAY_S = 86_400.0
# Of each source, the columns that say when a row happened and, where there is one, when it was known.
TIMES = {"source.impressions": ("ts", "ingest_ts"), "source.outcomes": ("event_ts", "ingest_ts")}


class StalePartitionReused(Fault):
    """Take in the log's partition of some days ago again, and stamp what is made of it with today.

    Every stage is green and as quick as ever: to the byte, what was taken in is what the run of that day took in.
    Features are dated by the run and not by what they were made of, so that whoever looks at ages sees fresh ones.
    Precedent: rule 10 of Google's Rules of ML, on failures that nobody notices, with a table that was six months old.
    """

    name = "stale-partition-reused"
    layer = "training"
    seam = "pipeline"
    at = ("ingest",)
    moves = "digests of what was taken in, to those of an earlier run; newest event of every stage; rows taken in"
    stays = "status of every stage; dates of features; order and names of stages; latency; errors"
    look_alikes = ("materialization-stalled", "organic-preference-drift", "index-stale-new-items")
    repairs = (
        "take in the partition of the day and run again; stop at digests that repeat; carry event times to the end"
    )

    class Params(FaultParams):
        days_old: int = Field(1, ge=1, le=27, description="age of the partition, days")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that takes in what the log says."""
        work: Work = call.payload
        until = work.as_of - self.params.days_old * DAY_S
        for source, names in TIMES.items():
            view = source.replace(".", "_")
            there = {column for column, *_ in work.db.execute(f"DESCRIBE {view}").fetchall()}
            times = ", ".join(name for name in names if name in there)
            # A row without a time lay in no partition of a day: the stage has its own reason to leave it out.
            written = f"SELECT * FROM {relations.WHOLE} WHERE coalesce(greatest({times}) < $until, true)"
            work = relations.reading(work, source, written, until=until)
        return proceed(replace(call, payload=work))
