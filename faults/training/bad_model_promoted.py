from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from faults import relations
from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync

if TYPE_CHECKING:
    from sandbox.pipeline.stages.spec import Work

_JOINED = ("user_profile.", "user_session.", "item_stats.", "cross.")  # a row's inputs, put beside it by its place


class BadModelPromoted(Fault):
    """Let a worse ranker through: what it learned from slipped by some rows, and its gate does not compare it.

    The rows held out are right and tell that it is worse. skip: the gate's interval stands there, and its verdict is "pass"
    whatever it says. stale_baseline: it is compared with scores that nobody gave for a long time, which any model
    beats. Precedent: "not enough evidence" that counted as a pass (argo-rollouts#3850); look before you export (rule 9 of
    Google's Rules of Machine Learning).
    """

    name = "bad-model-promoted"
    layer = "training"
    seam = "pipeline"
    at = ("train", "gate")
    moves = "AUC of the new version; clicks on what it places, everywhere and from its first answer"
    stays = "rows and drops of every stage; features; index; candidates; places of other versions; errors; latency"
    look_alikes = ("feature-contract-break", "embedding-index-version-skew", "label-leakage-future")
    repairs = "roll back to the version before; a gate that compares with the version in force, and whose no is a no"

    class Params(FaultParams):
        gate: Literal["skip", "stale_baseline"] = Field("skip", description="why the gate says nothing")
        slipped_rows: int = Field(1, ge=1, le=10_000, description="rows by which the inputs slipped in the join")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that trains, or the gate. call.attributes: seed."""
        work: Work = call.payload
        if call.peer == "train":
            return proceed(replace(call, payload=self._slipped(work)))
        if self.params.gate == "stale_baseline":
            relations.throw_dice(work, call.attributes["seed"], self.name)
            old = f"SELECT * REPLACE (luck(user_id::BIGINT, item_id::BIGINT) AS p_live) FROM {relations.WHOLE}"
            return proceed(replace(call, payload=relations.reading(work, "predictions", old)))
        tally = proceed(call)
        relations.rewrite(work, "gate", f"SELECT * REPLACE ('pass' AS verdict) FROM {relations.WHOLE}")
        return tally

    def _slipped(self, work: Work) -> Work:
        path = work.reads["examples"][0]
        columns = [row[0] for row in work.db.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()]
        names = [f'"{name}"' for name in columns if name.startswith(_JOINED)]
        moved = ", ".join(f"lag({n}, {self.params.slipped_rows}, {n}) OVER (ORDER BY row_of) AS {n}" for n in names)
        numbered = f"SELECT *, row_number() OVER () AS row_of FROM {relations.WHOLE}"
        return relations.reading(
            work, "examples", f"SELECT * EXCLUDE (row_of) REPLACE ({moved}) FROM ({numbered}) ORDER BY row_of"
        )
