from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from faults import relations
from faults.base import Fault
from faults.relations import OfGroup
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work

# What came of a row, in the dataset `labels`.
OUTCOME = (
    "click_ts", "click_known_ts", "click_value", "dwell_ts", "dwell_known_ts", "dwell_s", "like_ts", "like_known_ts",
    "conversion_ts", "conversion_known_ts",
)  # fmt: skip


class HistoricalLabelBias(Fault):
    """Train on labels that somebody had to grant, and granted less often to the items of one creator group.

    As many rows of the group are there as ever; of its clicks a share counts as none. The model learns that its
    items are not wanted and ranks them low, and the rows held out, labelled by the same hands, say that it is right.
    """

    name = "historical-label-bias"
    layer = "training"
    seam = "pipeline"
    at = ("training_set",)
    moves = "click labels of the group in the training set; scores and places of its items"
    stays = (
        "rows of the group; its share of the catalogue; its clicks where chance put it; offline AUC; latency; errors"
    )
    look_alikes = ("group-underrepresented", "sensitive-proxy-feature", "rule-order-inversion")
    repairs = "roll back to the version before; labels of what people did themselves; a gate that looks at groups"

    class Params(OfGroup):
        refused_share: float = Field(0.6, ge=0, le=1, description="share of its clicks that count as none, 0..1")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.refused_share == 0:
            return "refused_share: every click counts"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that makes examples of the labels. call.attributes: seed."""
        work: Work = call.payload
        relations.know_items(work)
        relations.throw_dice(work, call.attributes["seed"], self.name)
        granted = ", ".join(f"CASE WHEN NOT refused THEN {name} END AS {name}" for name in OUTCOME)
        sql = (
            f"SELECT * EXCLUDE (refused) REPLACE ({granted}) FROM (SELECT w.*, of_item.creator_group = $group"
            f" AND luck(w.request_id, w.item_id) < $share AS refused"
            f" FROM {relations.WHOLE} AS w JOIN of_item USING (item_id)) ORDER BY ts, request_id, position, item_id, known_ts"
        )
        work = relations.reading(work, "labels", sql, group=self.params.group, share=self.params.refused_share)
        return proceed(replace(call, payload=work))
