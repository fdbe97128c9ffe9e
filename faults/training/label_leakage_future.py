from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from faults import relations
from faults.base import Fault, FaultParams
from sandbox.base.clock import DAY_S
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work


class LabelLeakageFuture(Fault):
    """Join each row of the training set with batch features of the midnight after it instead of the one before.

    They count what came of the row itself. The model learns to trust them, the rows held out are joined in the same
    way and praise it, and in serving, where tomorrow is not known, they say less than it believes.
    """

    name = "label-leakage-future"
    layer = "training"
    seam = "pipeline"
    at = ("training_set",)
    moves = "offline AUC, upwards and by more than any idea would bring; feature_as_of of training rows; clicks fall"
    stays = "rows and drops of every stage; the features that are served; latency; errors"
    look_alikes = ("bad-model-promoted", "transform-skew", "position-bias-untreated")
    repairs = (
        "roll back to the version before; join by what was known at the row's time; stop at figures too good to be true"
    )

    class Params(FaultParams):
        views: tuple[Literal["user_profile", "item_stats"], ...] = Field(
            ("user_profile", "item_stats"), min_length=1, description="batch views that are joined from too late"
        )

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that joins the training set."""
        work: Work = call.payload
        for view in self.params.views:
            # What was taken at a midnight is found under the midnight before it.
            work = relations.reading(work, view, f"SELECT * REPLACE (as_of - {DAY_S} AS as_of) FROM {relations.WHOLE}")
        tally = proceed(replace(call, payload=work))
        later = f"SELECT * REPLACE (feature_as_of + {DAY_S} AS feature_as_of) FROM {relations.WHOLE}"
        relations.rewrite(work, "examples", later)  # the join notes what it joined
        return tally
