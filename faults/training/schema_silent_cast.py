from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from faults import relations
from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work

# A producer's list of kinds before somebody put a new one in front of it: each number now means the kind before.
_KINDS = ("click", "dwell", "like", "hide", "conversion", "leave")
_AS_IT_WAS, _BEFORE = list(_KINDS), [_KINDS[-1], *_KINDS[:-1]]


class SchemaSilentCast(Fault):
    """Read a field of the events in another unit or meaning than its producer writes it in: cast, and not refused.

    unit: the value of a dwell is taken times a factor (a client that says minutes where seconds are read). enum_shift:
    kinds that are sent as numbers are read by the list before it was added to, each as its neighbour. null_cast: a
    value that no longer parses becomes 0. Types and row counts are right, so that whatever checks only those says
    nothing. Precedent: checks of units and of enumerations in Breck et al., Data Validation for Machine Learning, SysML 2019.
    """

    name = "schema-silent-cast"
    layer = "training"
    seam = "pipeline"
    at = ("ingest",)
    moves = "quantiles of one column in what the pipeline reads; labels and features made from it; then places"
    stays = "row counts; types; what the lake has of the same events; latency; errors"
    look_alikes = ("event-drop-mnar", "transform-skew", "default-masks-error")
    repairs = "roll back to the version before; refuse what is not as declared; read the days concerned again, with the unit said"

    class Params(FaultParams):
        mode: Literal["unit", "enum_shift", "null_cast"] = Field("unit", description="what is taken for what")
        kind: Literal["dwell", "conversion"] = Field("dwell", description="unit, null_cast: events whose value it is")
        factor: float = Field(1 / 60, gt=0, le=1e6, description="unit: by what the value is multiplied")
        cast_share: float = Field(1.0, ge=0, le=1, description="share of these events, 0..1")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.cast_share == 0:
            return "cast_share: every event is read as it was meant"
        if params.mode == "unit" and params.factor == 1:
            return "factor: times one is what it was"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that reads the log. call.attributes: seed."""
        work: Work = call.payload
        relations.throw_dice(work, call.attributes["seed"], self.name)
        hit = "luck(w.request_id::BIGINT, w.item_id::BIGINT) < $share"
        given: dict[str, Any] = {"share": self.params.cast_share}
        if self.params.mode == "enum_shift":
            read = f"CASE WHEN {hit} THEN coalesce($to[list_position($from, w.kind)], w.kind) ELSE w.kind END AS kind"
            given |= {"from": _AS_IT_WAS, "to": _BEFORE}
        else:
            read = f"CASE WHEN w.kind = $kind AND {hit} THEN w.value * $factor ELSE w.value END AS value"
            given |= {"kind": self.params.kind, "factor": self.params.factor if self.params.mode == "unit" else 0.0}
        sql = f"SELECT w.* REPLACE ({read}) FROM {relations.WHOLE} AS w"
        return proceed(replace(call, payload=relations.reading(work, "source.outcomes", sql, **given)))
