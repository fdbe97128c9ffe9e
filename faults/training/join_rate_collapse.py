from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from faults import relations
from faults.base import Fault, FaultParams
from sandbox.base.catalogue import REGIONS
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work


class JoinRateCollapse(Fault):
    """Log what people of some regions do under a request id that was made anew, and not that of the page they saw.

    Every event is there, and what was shown is there; the two no longer find each other. Whoever joins them
    sees people who are shown much and like nothing, and a model learns that what they like is not liked.
    """

    name = "join-rate-collapse"
    layer = "training"
    seam = "pipeline"
    at = ("ingest",)
    moves = (
        "outcomes dropped for want of an impression; click labels of these regions; then the places of what they like"
    )
    stays = "rows that come in, shown and done, each as many as ever; what people do; latency; errors"
    look_alikes = ("event-drop-mnar", "delayed-feedback-fake-negatives", "dead-metric-silent")
    repairs = "roll back to the version before; one id made at the edge; join the days concerned by user, item and time"

    class Params(FaultParams):
        regions: tuple[str, ...] = Field(("BR",), min_length=1, description="regions of the people concerned")
        renamed_share: float = Field(0.95, ge=0, le=1, description="share of their outcomes under a new id, 0..1")

        @field_validator("regions")
        @classmethod
        def _there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            relations.require_known(names, REGIONS)
            return names

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.renamed_share == 0:
            return "renamed_share: every id is kept"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that reads the log. call.attributes: seed."""
        work: Work = call.payload
        relations.know_users(work)
        relations.throw_dice(work, call.attributes["seed"], self.name)
        sql = (
            "SELECT w.* REPLACE (w.request_id::BIGINT + CASE WHEN list_contains($regions, of_user.region)"
            f" AND luck(w.request_id, w.item_id) < $share THEN {relations.FRESH} ELSE 0 END AS request_id)"
            f" FROM {relations.WHOLE} AS w LEFT JOIN of_user USING (user_id)"
        )
        given = {"regions": list(self.params.regions), "share": self.params.renamed_share}
        return proceed(replace(call, payload=relations.reading(work, "source.outcomes", sql, **given)))
