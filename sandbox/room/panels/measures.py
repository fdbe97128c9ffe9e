"""What dashboards can show: each measure an expression over one table, and the segments that its rows can be told apart by.

Definitions are those of `metrics` (docs/sql.md) wherever that has one: what is an error, what a degraded answer, what a long
dwell. Here they may be asked for a segment and a step of one's own, which a sampled indicator has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox.drill.scenario.taxonomy import SEGMENT_COLUMNS
from sandbox.telemetry.settings import IndicatorSettings

Unit = Literal["share", "ms", "per_minute", "count", "minutes", "ratio"]
BoardName = Literal["services", "requests", "quality", "features", "versions", "policy", "business"]
MATURE_S = IndicatorSettings().slow_s  # world seconds after a click in which most of its conversions come
_LONG_DWELL_S = IndicatorSettings().long_dwell_s
_PER_MINUTE = "count(*) * 60.0 / $step"


@dataclass(frozen=True)
class Source:
    """table: what is read, with its alias. ts: its time. request, user, item: its columns of those, by which more of it is
    joined; empty where it has none. own: columns of its own that it can be told apart by -> expression."""

    table: str
    ts: str
    request: str = ""
    user: str = ""
    item: str = ""
    own: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Measure:
    """expression: an aggregate; `$step` is the step in world seconds, `$mature` the time before which clicks are old enough.
    where: of its rows. split: what it is told apart by where nothing else is asked for. share: each line as a share of all
    of them. joined: what the expression needs: users, items."""

    name: str
    title: str
    unit: Unit
    source: str
    expression: str
    where: str = ""
    split: str = ""
    share: bool = False
    joined: tuple[str, ...] = ()


_VERSIONS = ("model_version", "index_version", "encoder_version", "rules_version", "arm", "fallback")
SOURCES = {
    "spans": Source(
        "spans s", "s.ts", request="s.trace_id",
        own=(("service", "s.service"), ("op", "s.op"), ("instance", "s.instance"), ("peer", "s.peer")),
    ),
    "limits": Source("limits l", "l.ts", own=(("service", "l.service"), ("instance", "l.instance"))),
    "shed": Source("shed d", "d.ts", request="d.trace_id",
                   own=(("service", "d.service"), ("op", "d.op"), ("caller", "d.caller"), ("reason", "d.reason"))),
    "requests": Source("requests r", "r.ts", user="r.user_id"),
    "ic": Source("ic i", "i.ts", request="i.request_id", user="i.user_id", item="i.item_id",
                 own=(("cand_source", "i.cand_source"), ("position", "i.position"))),
    "reads": Source("feature_reads f", "f.ts", request="f.request_id", own=(("view", "f.view"), ("caller", "f.caller"))),
    "inputs": Source("model_inputs m", "m.ts", request="m.request_id", own=(("contract_version", "m.contract_version"),)),
    "rules": Source("rule_decisions d", "d.ts", request="d.request_id", item="d.item_id",
                    own=(("rule_id", "d.rule_id"), ("action", "d.action"))),
    "outcomes": Source("outcomes o", "o.event_ts", request="o.request_id", user="o.user_id", item="o.item_id",
                       own=(("kind", "o.kind"),)),
}  # fmt: skip
_OF_REQUESTS = {column: f"r.{column}" for column in ("region", "segment", "surface", "depth", "client", *_VERSIONS)}
_OF_USERS = {
    "user_lang": "u.lang", "age_band": "u.age_band", "main_topic": "u.main_topic",
    "user_bucket": "concat(u.user_id % 100 // 10 * 10, '-', u.user_id % 100 // 10 * 10 + 9)",
}  # fmt: skip
_OF_ITEMS = {
    "lang": "c.lang", "creator_group": "c.creator_group", "category": "c.category", "sensitivity": "c.sensitivity",
    "age_rating": "c.age_rating",
}  # fmt: skip
_CONSENT = (
    "(SELECT user_id, arg_max(state, effective_ts) = 'granted' AS personalised FROM consent_ledger"
    " WHERE purpose = 'personalisation' GROUP BY user_id)"
)


def _measures() -> dict[BoardName, tuple[Measure, ...]]:
    """By board, in the order in which they are shown."""
    server = "s.kind = 'server'"
    failed = "r.grpc_status NOT IN ('OK', 'RESOURCE_EXHAUSTED')"  # what is refused is the client's own doing
    click, conversion = "o.kind = 'click'", "o.kind = 'conversion'"
    versions = ((column, column.replace("_", " ")) for column in _VERSIONS[:4])
    return {
        "services": (
            Measure("calls", "Calls per minute", "per_minute", "spans", _PER_MINUTE, server, "service"),
            Measure("failed", "Calls that failed", "share", "spans", "avg((s.status <> 'OK')::INT)", server, "service"),
            Measure("p50", "Time in the handler, median", "ms", "spans", "median(s.dur_ms)", server, "service"),
            Measure("p99", "Time in the handler, p99", "ms", "spans", "quantile_cont(s.dur_ms, 0.99)", server, "service"),
            Measure("queue", "Wait for a handler, p99", "ms", "spans", "quantile_cont(s.queue_ms, 0.99)", server, "service"),
            Measure("tries", "Calls that were tried again", "share", "spans", "avg((s.attempt > 1)::INT)",
                    "s.kind = 'client'", "peer"),
            Measure("limit", "Limit on calls in flight", "count", "limits", "avg(l.limit_now)", split="service"),
            Measure("shed", "Calls turned away per minute", "per_minute", "shed", _PER_MINUTE, split="service"),
        ),
        "requests": (
            Measure("requests", "Requests per minute", "per_minute", "requests", _PER_MINUTE),
            Measure("errors", "Errors", "share", "requests", f"avg(({failed})::INT)"),
            Measure("degraded", "Answered by a fallback", "share", "requests", "avg(r.degraded::INT)"),
            Measure("p50", "Latency, median", "ms", "requests", "median(r.latency_ms)"),
            Measure("p99", "Latency, p99", "ms", "requests", "quantile_cont(r.latency_ms, 0.99)"),
            Measure("short", "Answers with fewer items than asked for", "share", "requests",
                    "avg((r.n_items < r.n_asked)::INT)", "r.grpc_status = 'OK'"),
        ),
        "quality": (
            Measure("ctr", "Clicks per impression", "share", "ic", "avg(i.clicked)"),
            Measure("conversions", "Conversions per click, of those old enough", "share", "ic",
                    "sum(i.converted) / nullif(sum(i.clicked), 0)", "i.ts < $mature"),
            Measure("hides", "Hides per impression", "share", "ic", "avg(i.hidden)"),
            Measure("dwell", "Long dwells per click", "share", "ic",
                    f"avg((coalesce(i.dwell_s, 0) >= {_LONG_DWELL_S:g})::INT)", "i.clicked = 1"),
            Measure("calibration", "Clicks, as a multiple of what was predicted", "ratio", "ic",
                    "sum(i.clicked) / nullif(sum(i.p_click), 0)"),
            Measure("diversity", "Topics per slate", "count", "ic",
                    "count(DISTINCT (i.request_id, c.category)) / nullif(count(DISTINCT i.request_id), 0)", joined=("items",)),
            Measure("coverage", "Share of the catalogue shown", "share", "ic",
                    "count(DISTINCT i.item_id) / nullif((SELECT count(*) FROM items WHERE deleted_ts IS NULL), 0)"),
            Measure("exposure", "Impressions of creators of group B", "share", "ic",
                    "avg((c.creator_group = 'B')::INT)", joined=("items",)),
        ),
        "features": (
            Measure("age", "Age of the rows served, median", "minutes", "reads", "median(f.age_p50_s) / 60", split="view"),
            Measure("oldest", "Oldest row of a read, median", "minutes", "reads", "median(f.age_max_s) / 60", split="view"),
            Measure("missing", "Rows MISSING", "share", "reads", "sum(f.n_missing) / nullif(sum(f.n_rows), 0)", split="view"),
            Measure("expired", "Rows EXPIRED", "share", "reads", "sum(f.n_expired) / nullif(sum(f.n_rows), 0)", split="view"),
            Measure("reads", "Reads per minute", "per_minute", "reads", _PER_MINUTE, split="view"),
            Measure("defaults", "Inputs of the model that are defaults", "share", "inputs", "avg(m.default_share)"),
        ),
        "versions": (
            *(Measure(column, f"Requests by {name}", "share", "requests", "count(*)", split=column, share=True)
              for column, name in versions),
            Measure("contract", "Sampled requests by feature contract", "share", "inputs", "count(DISTINCT m.request_id)",
                    split="contract_version", share=True),
            Measure("arms", "Requests by experiment arm", "share", "requests", "count(*)", split="arm", share=True),
        ),
        "policy": (
            Measure("drops", "Candidates dropped per minute", "per_minute", "rules", _PER_MINUTE, "d.action = 'drop'",
                    "rule_id"),
            Measure("moves", "Candidates moved or put in per minute", "per_minute", "rules", _PER_MINUTE,
                    "d.action <> 'drop'", "rule_id"),
            Measure("sponsored", "Impressions of sponsored items", "share", "ic", "avg(c.sponsored::INT)", joined=("items",)),
            Measure("randomised", "Impressions filled at random", "share", "ic", "avg(i.randomised::INT)"),
            Measure("sensitive", "Impressions of sensitive items", "share", "ic",
                    "avg((c.sensitivity <> 'none')::INT)", joined=("items",)),
            Measure("consented", "Requests of users who consent to personalisation", "share", "requests",
                    "avg(p.personalised::INT)", joined=("consent",)),
        ),
        "business": (
            Measure("revenue", "Revenue per minute", "per_minute", "outcomes",
                    "coalesce(sum(o.value), 0) * 60.0 / $step", conversion),
            Measure("conversions", "Conversions per minute", "per_minute", "outcomes", _PER_MINUTE, conversion),
            Measure("clicks", "Clicks per minute", "per_minute", "outcomes", _PER_MINUTE, click),
            Measure("users", "Users who came, in each step", "count", "requests", "count(DISTINCT r.user_id)"),
            Measure("visits", "Visits, in each step", "count", "requests", "count(DISTINCT r.session_id)"),
            Measure("leaves", "Visits ended per minute", "per_minute", "outcomes", _PER_MINUTE, "o.kind = 'leave'"),
        ),
    }  # fmt: skip


BOARDS = _measures()
SEGMENTS = tuple(dict.fromkeys((*SEGMENT_COLUMNS, *_VERSIONS, *(name for s in SOURCES.values() for name, _ in s.own))))


def told_apart(source: Source, column: str) -> tuple[str, str] | None:
    """(expression, what has to be joined for it) of a segment column, None where the rows of that source have none."""
    own = dict(source.own)
    if column in own:
        return own[column], ""
    is_requests = source.table.startswith("requests")
    if column in _OF_REQUESTS and (source.request or is_requests):
        return _OF_REQUESTS[column], "" if is_requests else "requests"
    of_user = "" if source.user or is_requests else "requests"
    has_user = bool(source.user or source.request)
    if column in _OF_USERS and has_user:
        return _OF_USERS[column], f"{of_user} users".strip()
    if column == "personalised" and has_user:
        return "p.personalised", f"{of_user} consent".strip()
    if column in _OF_ITEMS and source.item:
        return _OF_ITEMS[column], "items"
    return None


def joins(source: Source, needed: set[str]) -> str:
    """The tables to be read beside it: requests, users, consent, items."""
    user = source.user or "r.user_id"
    parts = {
        "requests": f"LEFT JOIN requests r ON r.request_id = {source.request}",
        "users": f"LEFT JOIN users u ON u.user_id = {user}",
        "consent": f"LEFT JOIN {_CONSENT} p ON p.user_id = {user}",
        "items": f"LEFT JOIN items c ON c.item_id = {source.item}",
    }
    return " ".join(parts[name] for name in parts if name in needed)
