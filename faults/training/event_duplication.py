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

# Outcomes that their client or its partition delivers again. The items with most clicks share the partitions that are
# behind, and those are the ones that are read again; ties go to the lower id, or two runs of one seed would differ.
_AGAIN = """WITH clicks AS (
  SELECT item_id, count(*) AS n FROM source_outcomes WHERE kind = 'click' GROUP BY 1),
busy AS (
  SELECT item_id FROM (SELECT item_id, row_number() OVER (ORDER BY n DESC, item_id) AS place, count(*) OVER () AS n_items FROM clicks)
  WHERE place <= ceil($busiest * n_items)),
pages AS (
  SELECT DISTINCT request_id, item_id FROM source_outcomes SEMI JOIN busy USING (item_id)
  WHERE kind = 'click' AND luck(request_id::BIGINT, item_id::BIGINT) < $share)"""


class EventDuplication(Fault):
    """Deliver what people did with some items several times, each delivery as a page view of its own with new ids.

    Delivery is at least once: a reader of a busy partition that is too slow to confirm gets the same uploads again. An
    upload holds a click with what came of it and the place where it was shown, and the collector gives ids on receipt,
    so nothing tells that a delivery is the same again. With ids kept, deduplication finds every one.
    Precedent: redelivery after a consumer missed its poll interval, as Kafka's documentation of delivery semantics
    describes it.
    """

    name = "event-duplication"
    layer = "training"
    seam = "pipeline"
    at = ("ingest",)
    moves = "rows that come in; click labels and click rates of the busiest items in training; then their places"
    stays = "share that deduplication finds; what people do on the pages; served features; latency; errors"
    look_alikes = ("bot-scrape-burst", "novelty-decay-misread", "flash-crowd")
    repairs = (
        "roll back to the version before; ids made where the click is; deduplicate by user, item and time; train again"
    )

    class Params(FaultParams):
        busiest_share: float = Field(0.05, gt=0, le=1, description="share of the items, those with most clicks, 0..1")
        share: float = Field(0.9, ge=0, le=1, description="share of their clicks that are delivered again, 0..1")
        copies: int = Field(2, ge=1, le=20, description="deliveries beyond the first")
        new_ids: bool = Field(True, description="each delivery gets ids of its own; false: ids are kept")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        if params.share == 0:
            return "share: nothing is delivered again"
        if not params.new_ids:
            return "new_ids: whatever comes again with its ids is dropped as a duplicate"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: the stage that reads the log. call.attributes: seed."""
        work: Work = call.payload
        relations.throw_dice(work, call.attributes["seed"], self.name)
        given = {"busiest": self.params.busiest_share, "share": self.params.share, "copies": self.params.copies}
        # Materialised before a source is replaced: both have to repeat the same pages.
        work.db.execute(
            f"CREATE TEMP TABLE again AS {_AGAIN} SELECT p.*, n FROM pages AS p, range(1, $copies + 1) AS r(n)", given
        )
        stride = relations.FRESH if self.params.new_ids else 0  # between the ids of a page and of each delivery
        for name in ("impressions", "outcomes"):
            source = f"source.{name}"
            sql = (
                f"SELECT * FROM {relations.WHOLE} UNION ALL BY NAME"
                f" SELECT w.* REPLACE (w.request_id::BIGINT + a.n * {stride} AS request_id{self._event_id(work, name)})"
                f" FROM {relations.WHOLE} AS w JOIN again AS a USING (request_id, item_id)"
            )
            work = relations.reading(work, source, sql)
        return proceed(replace(call, payload=work))

    def _event_id(self, work: Work, name: str) -> str:
        """What is put for an event's own id, where the source has one; else the stage makes it of the request's."""
        columns = {row[0]: row[1] for row in work.db.execute(f"DESCRIBE source_{name}").fetchall()}
        if "event_id" not in columns or not self.params.new_ids:
            return ""
        if columns["event_id"] == "VARCHAR":
            return ", w.event_id || '-' || a.n AS event_id"
        return f", w.event_id::BIGINT + a.n * {relations.FRESH} AS event_id"
