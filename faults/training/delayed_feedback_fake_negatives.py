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


class DelayedFeedbackFakeNegatives(Fault):
    """Read labels soon after a page was shown, and take what has not come by then for a no.

    Clicks come within seconds and are all there; who buys thinks it over, for hours or days. A row counts as mature by
    its age, whenever it was read, so that most sales are learned as none. Held-out rows were read as soon.
    Source: Chapelle, Modeling Delayed Feedback in Display Advertising, KDD 2014, https://doi.org/10.1145/2623330.2623634
    """

    name = "delayed-feedback-fake-negatives"
    layer = "training"
    seam = "pipeline"
    at = ("training_set",)
    moves = "conversion labels of the training set; then scores and places of what people buy"
    stays = "click labels; rows; join rate; conversions in the lake; AUC of clicks; latency; errors"
    look_alikes = ("event-drop-mnar", "join-rate-collapse", "benign-mix-shift")
    repairs = "roll back to the version before; train on rows whose window has ended; model the delay"

    class Params(FaultParams):
        read_after_h: float = Field(
            1.0, gt=0, le=48, description="world hours after its page at which a row is read, 48 being the whole window"
        )

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.read_after_h >= 48:
            return "read_after_h: the whole window is waited for"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that makes examples of the labels."""
        known = ", ".join(
            f"CASE WHEN conversion_known_ts <= ts + $read_s THEN {name} END AS {name}"
            for name in ("conversion_ts", "conversion_known_ts")
        )
        sql = f"SELECT * REPLACE ({known}) FROM {relations.WHOLE} ORDER BY ts, request_id, position, item_id, known_ts"
        work: Work = call.payload
        work = relations.reading(work, "labels", sql, read_s=3_600.0 * self.params.read_after_h)
        return proceed(replace(call, payload=work))
