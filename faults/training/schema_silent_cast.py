from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from faults import relations
from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work

DAY_S = 86_400.0


class SchemaSilentCast(Fault):
    """Read a value in another unit than it is written in: dwell times from a release of the client on.

    The column has the type that it always had, so nothing is refused. What is made of it is wrong: with seconds
    read as minutes nobody stays, and the model forgets to tell what holds people from what only draws them.
    """

    name = "schema-silent-cast"
    layer = "training"
    seam = "pipeline"
    at = ("ingest",)
    moves = "quantiles of dwell times in the training log, by a round factor at one moment; labels of long dwells"
    stays = "rows of every stage; types and columns; click labels; dwell times that serving measures; latency; errors"
    look_alikes = ("transform-skew", "default-masks-error", "event-drop-mnar")
    repairs = "roll back to the version before; read the unit with the value; refuse what is out of its usual range"

    class Params(FaultParams):
        factor: float = Field(1 / 60, gt=0, le=10_000, description="value read, as a multiple of the value written")
        days: float = Field(28.0, gt=0, le=365, description="how long before the end of the log it begins, days")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.factor == 1:
            return "factor: every value is read as it was written"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that reads the log."""
        work: Work = call.payload
        sql = (
            "SELECT * REPLACE ((CASE WHEN kind = 'dwell' AND event_ts >= $since THEN value * $factor ELSE value END)::FLOAT"
            f" AS value) FROM {relations.WHOLE}"
        )
        given = {"since": work.as_of - self.params.days * DAY_S, "factor": self.params.factor}
        return proceed(replace(call, payload=relations.reading(work, "source.outcomes", sql, **given)))
