from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault
from faults.relations import OfGroup
from sandbox.base.streams import uniforms
from services.skeleton.seams import Call, ProceedSync


class GroupUnderrepresented(Fault):
    """Train on a log in which the items of one creator group are sampled down.

    Towers, ranker and popularity learn too little of the group and rank it too low, while offline
    averages hold. Precedent: a hiring model trained on the CVs of one group (FAULTS.md, 4e).
    """

    name = "group-underrepresented"
    layer = "training"
    seam = "training_log"
    moves = "rows of the group in the training set; its exposure and CTR; coverage of its items"
    stays = "overall CTR and the offline average; the group's share of the catalogue; latency; errors"
    look_alikes = ("historical-label-bias", "sensitivity-overblock", "event-drop-mnar")
    repairs = "roll back to the version trained on the whole log; restore or weight the samples"

    class Params(OfGroup):
        keep_share: float = Field(0.05, ge=0.02, le=1, description="share of its impressions kept, 0..1")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.keep_share == 1:
            return "keep_share: all impressions are kept"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the log (columns user, item, request; `take`). call.attributes: item_group, the
        group's name for every item, and seed."""
        log = call.payload
        of_group = call.attributes["item_group"][log.item] == self.params.group
        luck = uniforms(call.attributes["seed"], self.name, log.request, log.item)
        return proceed(replace(call, payload=log.take(~of_group | (luck < self.params.keep_share))))
