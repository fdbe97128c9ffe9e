"""What everybody in a room may look at without asking for it: the stack's numbers, made once however many watch.

They come from the tables that every participant may query, and nobody's looking is noted as a query of theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.queries import sql_time
from sandbox.room.panels.asking import Asks
from sandbox.room.room import Room

SIGNALS = ("request_rate", "error_share", "degraded_share", "latency_p50_ms", "latency_p99_ms", "ctr")
VERSIONS = ("model_version", "index_version", "encoder_version", "rules_version")  # columns of `requests`
MOST_CHANGES = 20  # the latest
MOST_ROWS = 9_000  # of all signals: a day of minutes
_TEXT = 200  # characters of a text that somebody wrote
_SHARE = 0.25  # of the desk's time that looking may take
_MOST_S = 6.0  # wall seconds that an overview is good for at most: one look that had to wait for others is no slow lake
_FIGURES = 4  # of a number: more would be news each second of what nobody can see
_LAST_S = 3_600.0  # world seconds in which the last point of a signal is looked for
_AGAIN_S = 300.0  # world seconds of points that are read again: those of late rows come late, or change
_ALL = f"""
    SELECT 'edge' AS what, caller AS name, callee AS other, sum(rps) / count(DISTINCT ts) AS a,
           sum(rps * err_rate) / nullif(sum(rps), 0) AS b, median(p99_ms) AS c, count(DISTINCT instance) AS n
    FROM rpc_edges WHERE ts > {{now}} - INTERVAL 5 MINUTE{{by}} GROUP BY ALL
    UNION ALL BY NAME
    SELECT 'edge' AS what, service AS name, peer AS other,
           count(*) / (SELECT count(DISTINCT ts) FROM redis_stats WHERE ts > {{now}} - INTERVAL 5 MINUTE{{by}}) AS a,
           avg((status <> 'OK')::INT) AS b, quantile_cont(dur_ms, 0.99) AS c, 1 AS n
    FROM spans WHERE kind = 'store' AND ts > {{now}} - INTERVAL 5 MINUTE{{by}} GROUP BY ALL
    UNION ALL BY NAME
    SELECT 'flow' AS what, source AS name, target AS other, rate AS a, behind_s AS b, NULL AS c, 1 AS n
    FROM (SELECT unnest(['events', 'stream']) AS source, unnest(['stream', 'redis']) AS target,
                 unnest([avg(rate_in), avg(rate_out)]) AS rate,
                 unnest([NULL, arg_max(epoch(last_event_ts) - epoch(last_processed_ts), ts)]) AS behind_s
          FROM stream_stats WHERE ts > {{now}} - INTERVAL 5 MINUTE{{by}}) WHERE rate IS NOT NULL
    UNION ALL BY NAME
    SELECT 'node' AS what, service AS name, '' AS other, avg(cpu_pct) AS a, avg(pool_queue) AS b, NULL AS c,
           count(DISTINCT instance) AS n
    FROM procs WHERE ts > {{now}} - INTERVAL 2 MINUTE{{by}} GROUP BY ALL
    UNION ALL BY NAME
    SELECT 'store' AS what, arg_max(node, ts) AS name, '' AS other, arg_max(ops, ts) AS a, arg_max(used_mb, ts) AS b,
           NULL AS c, count(DISTINCT node) AS n
    FROM redis_stats WHERE true{{by}} HAVING count(*) > 0
    UNION ALL BY NAME
    SELECT 'stream' AS what, arg_max(stream, ts) AS name, '' AS other, arg_max(rate_out, ts) AS a,
           arg_max(backlog, ts) AS b, NULL AS c, 1 AS n
    FROM stream_stats WHERE true{{by}} HAVING count(*) > 0
    UNION ALL BY NAME
    SELECT 'job' AS what, view AS name, arg_max(status, finished) AS other, epoch(max(finished)) AS a,
           arg_max(rows_written, finished) AS b, NULL AS c, count(*) AS n
    FROM materialization_runs WHERE finished BETWEEN {{now}} - INTERVAL 1 DAY AND {{now}} GROUP BY view
    UNION ALL BY NAME
    SELECT 'version' AS what, name, other, count(*) AS a, NULL AS b, NULL AS c, 1 AS n
    FROM (SELECT unnest({list(VERSIONS)}) AS name, unnest([{", ".join(VERSIONS)}]) AS other
          FROM requests WHERE ts > {{now}} - INTERVAL 5 MINUTE{{by}}) WHERE other IS NOT NULL GROUP BY name, other
    UNION ALL BY NAME
    SELECT 'change' AS what, target AS name, concat(key, ': ', old, ' → ', new, ' (', actor, ')') AS other, epoch(ts) AS a,
           NULL AS b, NULL AS c, 1 AS n
    FROM changes WHERE ts > {{now}} - INTERVAL 1 HOUR{{by}}
    UNION ALL BY NAME
    SELECT 'alert' AS what, rule AS name, arg_max(summary, ts) AS other, epoch(max(ts)) AS a, NULL AS b, NULL AS c, 1 AS n
    FROM alerts WHERE true{{by}} GROUP BY rule HAVING arg_max(state, ts) = 'firing'
    UNION ALL BY NAME
    SELECT 'signal' AS what, name, '' AS other, epoch(ts) AS a, value AS b, NULL AS c, 1 AS n
    FROM metrics WHERE label = 'all' AND name IN {SIGNALS} AND ts > {{after}}{{by}}
    ORDER BY what, name, a
"""  # a part each: one query is one round trip to the worker


def sql(after_ts: float = 0.0, now_ts: float | None = None) -> str:
    """The query of an overview. after_ts: world seconds; of the signals the points after that alone. now_ts: of a moment that is
    past, as far as is known of it by now; None for now."""
    moment = "world_now()" if now_ts is None else sql_time(now_ts)
    by = "" if now_ts is None else f" AND ts <= {moment}"
    return _ALL.format(after=sql_time(after_ts), now=moment, by=by)


class Edge(BaseModel):
    """Calls of the last 5 world minutes. rate: per wall second. errors: share, 0..1. p99_ms: the median of the samples'
    99th percentiles; for round trips to the store, whose every one is a span, the 99th percentile itself. instances: of
    the callee."""

    caller: str
    callee: str
    rate: float | None
    errors: float | None
    p99_ms: float | None
    instances: int


class Flow(BaseModel):
    """What is handed on without being waited for, in the last 5 world minutes. rate: entries per wall second. behind_s: of
    the newest entry taken after the newest there is, world seconds; None where nothing is kept of it."""

    source: str
    target: str
    rate: float | None
    behind_s: float | None


class Node(BaseModel):
    """Processes of a service in the last 2 world minutes. cpu_pct: of a core, on average. queue: calls that wait."""

    service: str
    instances: int
    cpu_pct: float | None
    queue: float | None


class Store(BaseModel):
    """ops: per wall second."""

    ops: float | None
    used_mb: float | None


class Stream(BaseModel):
    """rate: entries processed per wall second. backlog: entries that are not."""

    rate: float | None
    backlog: float | None


class Job(BaseModel):
    """The last run of the batch job for a view, of the last world day. rows: that it wrote."""

    view: str
    finished_ts: float
    status: str
    rows: float | None


class Version(BaseModel):
    """of: one of VERSIONS. share: of the requests of the last 5 world minutes that it answered, 0..1."""

    of: str
    version: str
    share: float


class Change(BaseModel):
    """An entry of the change log, of the last world hour."""

    world_ts: float
    target: str
    text: str


class Alert(BaseModel):
    """One that is firing. since_ts: world seconds since the epoch."""

    rule: str
    summary: str
    since_ts: float


class Overview(BaseModel):
    """world_ts: of what it tells. signals: name -> [world_ts, value], a point each world minute, oldest first."""

    world_ts: float
    edges: list[Edge] = []
    flows: list[Flow] = []
    nodes: list[Node] = []
    store: Store | None = None
    stream: Stream | None = None
    jobs: list[Job] = []
    versions: list[Version] = []
    changes: list[Change] = []
    alerts: list[Alert] = []
    signals: dict[str, list[tuple[float, float | None]]] = {}

    def since(self, ts: float) -> Overview:
        """The same with the points after that time alone."""
        later = {name: [p for p in points if p[0] > ts] for name, points in self.signals.items()}
        return self.model_copy(update={"signals": later})

    def after(self, before: Overview) -> Overview:
        """The same with the points that were known before, where it has no others for their times."""
        names = dict.fromkeys([*before.signals, *self.signals])
        points = {name: {**dict(before.signals.get(name, [])), **dict(self.signals.get(name, []))} for name in names}
        return self.model_copy(update={"signals": {name: sorted(of.items()) for name, of in points.items()}})


class Lookout:
    """A room's overview, looked for again once it is old. clock: monotonic seconds. every_s: of the clock, at least; more
    where looking takes long, as the desk has other things to do."""

    def __init__(self, room: Room, clock: Callable[[], float], every_s: float) -> None:
        self._room, self._clock, self._every_s = room, clock, every_s
        self._turn, self._seen = threading.Lock(), Overview(world_ts=0.0)
        self._at: float | None = None
        self._good_s, self._settled = every_s, False

    def seen(self) -> Overview:
        """One looks, the others take what there was last."""
        if self._old() and self._turn.acquire(blocking=self._at is None):
            try:
                if self._old():
                    self._look()
            finally:
                self._turn.release()
        return self._seen

    def _old(self) -> bool:
        return self._at is None or (not self._settled and self._clock() - self._at >= self._good_s)

    def _look(self) -> None:
        """A lake that cannot be asked leaves what was seen last: it is no error of whoever watches."""
        began, settled = self._clock(), self._room.is_settled
        with suppress(SandboxError):
            last_ts = max((points[-1][0] for points in self._seen.signals.values()), default=_AGAIN_S)
            rows = self._room.look_up(sql(last_ts - _AGAIN_S), MOST_ROWS)[0].rows
            self._seen = told(rows, self._room.now()).after(self._seen)
            self._settled = settled
        self._at = self._clock()
        self._good_s = max(self._every_s, min(_MOST_S, (self._at - began) / _SHARE))


def stack_at(lake: Asks, ts: float) -> Overview:
    """What the overview would have shown at that world time, with the last point of each signal. Raises LAKE-001..004."""
    seen = told(lake.query(sql(ts - _LAST_S, ts), max_rows=MOST_ROWS).rows, ts)
    return seen.model_copy(update={"signals": {name: points[-1:] for name, points in seen.signals.items()}})


def told(rows: list[list[Any]], world_ts: float) -> Overview:
    """rows: (what, name, other, a, b, c, n) of the query."""
    of: dict[str, list[list[Any]]] = {}
    for what, *row in rows:
        of.setdefault(what, []).append(row)
    signals: dict[str, list[tuple[float, float | None]]] = {}
    for name, _, ts, value, *_ in of.get("signal", []):
        signals.setdefault(name, []).append((ts, _finite(value)))
    store, stream = of.get("store"), of.get("stream")
    answered: dict[str, float] = {}
    for name, _, n, *_ in of.get("version", []):
        answered[name] = answered.get(name, 0.0) + n
    changes = sorted((Change(world_ts=r[2], target=r[0] or "", text=r[1][:_TEXT]) for r in of.get("change", [])),
                     key=lambda change: change.world_ts)  # fmt: skip
    return Overview(
        world_ts=world_ts,
        jobs=[Job(view=r[0], status=r[1] or "", finished_ts=r[2], rows=_finite(r[3])) for r in of.get("job", [])],
        versions=[Version(of=r[0], version=r[1][:_TEXT], share=round(r[2] / answered[r[0]], 4)) for r in of.get("version", [])],
        changes=changes[-MOST_CHANGES:],
        edges=[
            Edge(caller=r[0], callee=r[1], rate=_finite(r[2]), errors=_finite(r[3]), p99_ms=_finite(r[4]), instances=r[5])
            for r in of.get("edge", [])
        ],
        flows=[Flow(source=r[0], target=r[1], rate=_finite(r[2]), behind_s=_finite(r[3])) for r in of.get("flow", [])],
        nodes=[Node(service=r[0], instances=r[5], cpu_pct=_finite(r[2]), queue=_finite(r[3])) for r in of.get("node", [])],
        store=Store(ops=_finite(store[0][2]), used_mb=_finite(store[0][3])) if store else None,
        stream=Stream(rate=_finite(stream[0][2]), backlog=_finite(stream[0][3])) if stream else None,
        alerts=[Alert(rule=r[0], summary=r[1] or "", since_ts=r[2]) for r in of.get("alert", [])],
        signals=signals,
    )  # fmt: skip


def _finite(value: Any) -> float | None:
    """JSON has no word for what is not a number."""
    if value is None:
        return None
    number = float(value)
    return float(f"{number:.{_FIGURES}g}") if abs(number) < 1e300 else None
