"""One recommendation explained: what was found, how it was ranked, what the rules did, and what was known of user and items."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sandbox.room.panels.asking import (
    PAGE,
    Asks,
    Fact,
    Table,
    Told,
    Window,
    all_of,
    facts_of,
    page_of,
    rows_of,
    table_of,
    text,
)

MOST_CANDIDATES = 500
MOST_DECISIONS = 600
MOST_FEATURES = 800
EARLIER = 12
_LINE = """
    SELECT r.request_id, epoch(r.ts) AS world_ts, r.user_id, r.region, r.grpc_status AS status, r.latency_ms, r.fallback,
           r.n_items, coalesce(o.clicks, 0) AS clicks, coalesce(o.conversions, 0) AS conversions,
           e.request_id IS NOT NULL AS in_full, r.model_version, r.index_version, r.rules_version
    FROM requests r
    LEFT JOIN (SELECT request_id, count(*) FILTER (WHERE kind = 'click') AS clicks,
                      count(*) FILTER (WHERE kind = 'conversion') AS conversions
               FROM outcomes GROUP BY 1) o USING (request_id)
    LEFT JOIN (SELECT DISTINCT request_id FROM explain) e USING (request_id)"""


class SlateLine(Told):
    """A request in a list. in_full: each of its candidates is known, and not only what was shown."""

    request: str
    world_ts: float
    user: int | None
    region: str | None
    status: str | None
    latency_ms: float | None
    fallback: str | None
    n_items: int | None
    clicks: int
    conversions: int
    in_full: bool
    model_version: str | None
    index_version: str | None
    rules_version: str | None


class SlateList(Told):
    slates: list[SlateLine]
    more: bool
    sql: str


class Count(Told):
    """name: a source, or a rule."""

    name: str
    n: int


class Funnel(Told):
    """found: by each source, which may find the same. merged: without those that are twice. ranked: scored by the model.
    dropped: by each rule or stage. shown: in the slate. What is not known is None or empty."""

    found: list[Count]
    merged: int | None
    ranked: int | None
    dropped: list[Count]
    shown: int | None


class Candidate(Told):
    """sources: joined by +. rank: the model's, from 1. position: in the slate, None where it was not shown. p_click,
    propensity, randomised, clicked, converted: of what was shown."""

    item: int
    title: str | None
    sources: str | None
    source_score: float | None
    rank: int | None
    score: float | None
    position: int | None
    dropped_by: str | None
    p_click: float | None
    propensity: float | None
    randomised: bool | None
    clicked: int | None
    converted: int | None


class FeatureValue(Told):
    """A value that was served. age_s: of its row then, world seconds, None where there was none. batch: what the batch job
    computed last before, None where it kept no sample of that."""

    entity: str
    entity_id: str
    view: str
    feature: str
    value: float | None
    age_s: float | None
    status: str | None
    batch: float | None


class SlateDocument(Told):
    """facts: of the request. earlier: what the same user was shown before, the latest first."""

    request: str
    world_ts: float
    user: int
    in_full: bool
    facts: list[Fact]
    funnel: Funnel
    candidates: list[Candidate]
    decisions: Table
    features: list[FeatureValue]
    reads: Table
    inputs: Table
    earlier: list[SlateLine]
    sql: str


@dataclass(frozen=True)
class Wanted:
    """user, item: None for any. in_full: those alone of which every candidate is known."""

    user: int | None = None
    item: int | None = None
    in_full: bool = False
    page: int = 0


def listed(lake: Asks, wanted: Wanted, window: Window) -> SlateList:
    """The latest first. Raises LAKE-002..004."""
    sql = _list_sql(wanted, window)
    rows = rows_of(lake, f"{sql} {page_of(wanted.page)}", PAGE + 1)
    return SlateList(slates=[_line(row) for row in rows[:PAGE]], more=len(rows) > PAGE, sql=f"{sql} LIMIT {PAGE}")


def slate_lines(lake: Asks, wanted: Wanted, most: int) -> list[SlateLine]:
    """The latest of all time."""
    return [_line(row) for row in rows_of(lake, f"{_list_sql(wanted, None)} LIMIT {most}", most)]


def explained(lake: Asks, which: str) -> SlateDocument:
    """which: a request id, or `latest` for the newest that is known in full. Raises WIRE-003 where there is none."""
    newest = "(SELECT arg_max(request_id, ts) FROM explain)"
    asked = newest if which == "latest" else text(which)
    told = facts_of(lake, "request", which, f"SELECT epoch(ts) AS world_ts, * FROM requests WHERE request_id = {asked}")
    facts = {fact.name: fact.value for fact in told}
    request, user = str(facts["request_id"]), int(facts["user_id"])
    candidates = [
        Candidate(**dict(zip(Candidate.model_fields, row, strict=True)))
        for row in rows_of(lake, candidates_sql(request), MOST_CANDIDATES)
    ]
    sources = rows_of(
        lake,
        f"SELECT source, count(*) FROM candidates WHERE request_id = {text(request)} GROUP BY 1 ORDER BY 2 DESC",
        20,
    )
    in_full = any(c.rank is not None or c.dropped_by for c in candidates if c.position is None)
    decisions = table_of(lake, "What the rules did", _decisions_sql(request), MOST_DECISIONS)
    before = (
        f"{_LINE} WHERE r.user_id = {user} AND r.ts < (SELECT max(ts) FROM requests WHERE request_id = {text(request)})"
    )
    return SlateDocument(
        request=request, world_ts=facts["world_ts"], user=user, in_full=in_full, facts=told[1:],
        funnel=funnel(facts, sources, candidates, decisions.rows), candidates=candidates, decisions=decisions,
        features=[
            FeatureValue(**dict(zip(FeatureValue.model_fields, row, strict=True)))
            for row in rows_of(lake, _features_sql(request), MOST_FEATURES)
        ],
        reads=table_of(lake, "Reads of features", _reads_sql(request)),
        inputs=table_of(lake, "What the model was given", _inputs_sql(request), 200),
        earlier=[_line(row) for row in rows_of(lake, f"{before} ORDER BY r.ts DESC LIMIT {EARLIER}", EARLIER)],
        sql=candidates_sql(request),
    )  # fmt: skip


def funnel(
    facts: dict[str, Any], sources: list[list[Any]], candidates: list[Candidate], decisions: list[list[Any]]
) -> Funnel:
    """sources: (source, n). decisions: rows of the table of that name. Pure.

    Where not every candidate is known, what was dropped is counted by the rules' own decisions."""
    by = Counter(c.dropped_by for c in candidates if c.dropped_by and c.position is None)
    if not by:
        by = Counter(str(row[0]) for row in decisions if row[1] == "drop")
    return Funnel(
        found=[Count(name=str(name), n=n) for name, n in sources], merged=facts.get("n_candidates"),
        ranked=facts.get("n_ranked"), shown=facts.get("n_items"),
        dropped=[Count(name=name, n=n) for name, n in by.most_common()],
    )  # fmt: skip


def candidates_sql(request: str) -> str:
    """Every candidate, the shown first, then by the model's rank."""
    of = f"request_id = {text(request)}"
    return (
        "SELECT item_id AS item, c.title, coalesce(e.sources, i.cand_source) AS sources, e.source_score,"
        " coalesce(e.model_rank, i.model_rank) AS rank, coalesce(e.score, i.score) AS score,"
        " coalesce(i.position, e.position) AS position, e.dropped_by, i.p_click, i.propensity, i.randomised, i.clicked,"
        f" i.converted FROM (SELECT * FROM explain WHERE {of}) e"
        f" FULL JOIN (SELECT * FROM ic WHERE {of}) i USING (item_id) LEFT JOIN items c USING (item_id)"
        f" ORDER BY coalesce(i.position, e.position) NULLS LAST, rank NULLS LAST, item LIMIT {MOST_CANDIDATES}"
    )


def _list_sql(wanted: Wanted, window: Window | None) -> str:
    where = all_of(
        window.holds("r.ts") if window else None,
        None if wanted.user is None else f"r.user_id = {wanted.user}",
        None if wanted.item is None
        else f"r.request_id IN (SELECT request_id FROM impressions WHERE item_id = {wanted.item})",
        "e.request_id IS NOT NULL" if wanted.in_full else None,
    )  # fmt: skip
    return f"{_LINE} WHERE {where} ORDER BY r.ts DESC, r.request_id"


def _decisions_sql(request: str) -> str:
    return (
        "SELECT d.rule_id AS rule, d.action, d.item_id AS item, c.title, d.factor, d.seq, d.rules_version"
        f" FROM rule_decisions d LEFT JOIN items c USING (item_id) WHERE d.request_id = {text(request)}"
        f" ORDER BY d.seq, d.item_id LIMIT {MOST_DECISIONS}"
    )


def _features_sql(request: str) -> str:
    """One value of each: a row may be read by two callers."""
    return (
        "WITH f AS (SELECT * FROM served_features"
        f" WHERE request_id = {text(request)} QUALIFY row_number() OVER (PARTITION BY entity, entity_id, view, feature"
        " ORDER BY ts) = 1),"
        " b AS (SELECT o.entity, o.entity_id, o.view, o.feature, arg_max(o.value, o.as_of) AS batch FROM offline_features o"
        " SEMI JOIN f USING (entity, entity_id, view, feature) WHERE o.as_of <= (SELECT max(ts) FROM f) GROUP BY ALL)"
        " SELECT f.entity, f.entity_id, f.view, f.feature, f.value,"
        " round(epoch(f.ts) - epoch(f.feature_event_ts), 1) AS age_s, f.status, b.batch"
        " FROM f LEFT JOIN b USING (entity, entity_id, view, feature)"
        f" ORDER BY f.entity DESC, f.view, f.entity_id, f.feature LIMIT {MOST_FEATURES}"
    )


def _reads_sql(request: str) -> str:
    return (
        "SELECT caller, view, n_rows, n_missing, n_expired, round(age_p50_s, 1) AS age_p50_s, round(age_max_s, 1) AS age_max_s"
        f" FROM feature_reads WHERE request_id = {text(request)} ORDER BY ts"
    )


def _inputs_sql(request: str) -> str:
    return (
        'SELECT position, feature, mean, "min", "max", default_share, contract_version, model_version'
        f" FROM model_inputs WHERE request_id = {text(request)} ORDER BY model_version, position LIMIT 200"
    )


def _line(row: list[Any]) -> SlateLine:
    return SlateLine(**dict(zip(SlateLine.model_fields, row, strict=True)))
