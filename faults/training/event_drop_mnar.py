from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from faults import relations
from faults.base import Fault, FaultParams
from sandbox.base.catalogue import REGIONS
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work

# What is lost goes by page and item: with a click goes what followed it.
_LOST = {
    "chance": "true",
    "region": "list_contains($regions, of_user.region)",
    "value": "coalesce(stayed.s, 0) >= $dwell_s",
}


class EventDropMnar(Fault):
    """Lose what people did on its way into the log, and not by chance: by where they live, or by what it was.

    chance: everybody's alike, which costs rows and no more (missing completely at random). region: that of some regions
    (missing at random: a column that is there explains it). value: that of the items with which people stayed longest
    (missing not at random: an app that sends everything as its page closes, and is shut down before). The impressions stay, so
    that what is lost reads as "not wanted", and what is held out was lost the same way.
    Terms: Rubin 1976, https://doi.org/10.1093/biomet/63.3.581
    """

    name = "event-drop-mnar"
    layer = "training"
    seam = "pipeline"
    at = ("ingest",)
    moves = "outcomes that come in; click labels of whom or what the loss is about; then the places of those items"
    stays = "impressions; requests; join rate; what people really do; latency; errors"
    look_alikes = ("join-rate-collapse", "delayed-feedback-fake-negatives", "benign-mix-shift")
    repairs = (
        "roll back to the version before; have clients send as it happens; leave the days concerned out of training"
    )

    class Params(FaultParams):
        by: Literal["chance", "region", "value"] = Field("value", description="what decides what is lost")
        regions: tuple[str, ...] = Field(("BR",), min_length=1, description="by region: those of the people concerned")
        dwell_s: float = Field(60.0, gt=0, description="by value: least stay with an item, s")
        lost_share: float = Field(0.9, ge=0, le=1, description="share of it that is lost, 0..1")

        @field_validator("regions")
        @classmethod
        def _there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            relations.require_known(names, REGIONS)
            return names

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.lost_share == 0:
            return "lost_share: nothing is lost"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that reads the log. call.attributes: seed."""
        work: Work = call.payload
        relations.know_users(work)
        relations.throw_dice(work, call.attributes["seed"], self.name)
        sql = (
            f"SELECT w.* FROM {relations.WHOLE} AS w LEFT JOIN of_user USING (user_id) LEFT JOIN ("
            f"SELECT request_id, item_id, max(value) AS s FROM {relations.WHOLE} WHERE kind = 'dwell' GROUP BY ALL"
            f") AS stayed USING (request_id, item_id) WHERE NOT ({_LOST[self.params.by]}"
            " AND luck(w.request_id::BIGINT, w.item_id::BIGINT) < $share)"
        )
        given: dict[str, Any] = {"share": self.params.lost_share}
        if self.params.by == "region":
            given["regions"] = list(self.params.regions)
        elif self.params.by == "value":
            given["dwell_s"] = self.params.dwell_s
        return proceed(replace(call, payload=relations.reading(work, "source.outcomes", sql, **given)))
