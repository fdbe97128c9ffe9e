"""Prints docs/sql.md from the schema: `python -m sandbox.telemetry.reference > docs/sql.md`.

With --check FILE nothing is printed: it ends with 1 when FILE is not what would be printed.
"""

from __future__ import annotations

import sys

from sandbox.base.printed import print_or_check
from sandbox.base.schema import IC_COMMENT, TABLES, Column
from sandbox.telemetry.lake import IC_COLUMNS
from sandbox.telemetry.sqlguard import unknown_table

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "How is it going? Requests, latency, errors and fallbacks by ten minutes",
        """SELECT time_bucket(INTERVAL 10 MINUTE, ts) AS t, count(*) AS requests,
       round(quantile_cont(latency_ms, 0.5), 1) AS p50_ms,
       round(quantile_cont(latency_ms, 0.99), 1) AS p99_ms,
       round(avg((grpc_status <> 'OK')::INT), 4) AS error_share,
       round(avg(degraded::INT), 4) AS degraded_share
FROM requests GROUP BY t ORDER BY t""",
    ),
    (
        "Which alerts are open?",
        """SELECT rule, arg_max(state, ts) AS state, max(ts) AS since, arg_max(summary, ts) AS summary
FROM alerts GROUP BY rule HAVING state = 'firing' ORDER BY since""",
    ),
    (
        "What was changed, and when?",
        "SELECT ts, target, key, old, new, actor, note FROM changes ORDER BY ts DESC LIMIT 20",
    ),
    (
        "Clicks per impression by creator group and hour",
        """SELECT date_trunc('hour', ic.ts) AS t, items.creator_group, count(*) AS shown,
       round(avg(clicked), 4) AS ctr
FROM ic JOIN items USING (item_id) GROUP BY ALL ORDER BY ALL""",
    ),
    (
        "Who was answered by what is known of them although they had said no, under which law, how long after?",
        """SELECT said.jurisdiction, said.signal, count(DISTINCT requests.user_id) AS people, count(*) AS requests,
       round(median(epoch(requests.ts) - epoch(said.effective_ts)) / 3600, 1) AS hours_after,
       list(DISTINCT model_version) AS models, min(requests.ts) AS since
FROM requests ASOF JOIN (
  SELECT * FROM consent_ledger WHERE purpose = 'personalisation' -- of a yes and a no of one moment, the no
  QUALIFY row_number() OVER (PARTITION BY user_id, effective_ts ORDER BY state <> 'denied') = 1) AS said
  ON said.user_id = requests.user_id AND said.effective_ts <= requests.ts
WHERE said.state = 'denied' AND (coalesce(encoder_version, '') <> '' OR feature_age_s IS NOT NULL
                              OR session_age_s IS NOT NULL)
GROUP BY ALL ORDER BY people DESC""",
    ),
    (
        "Where does the time of one hop go? Client spans beside the server spans they caused",
        """SELECT c.service AS caller, c.peer AS callee, c.op, count(*) AS calls,
       round(median(c.dur_ms), 2) AS client_ms, round(median(s.dur_ms), 2) AS server_ms,
       round(median(c.dur_ms - s.dur_ms), 2) AS between_ms, round(median(s.queue_ms), 2) AS queue_ms
FROM spans AS c JOIN spans AS s ON s.parent_id = c.span_id AND s.kind = 'server'
WHERE c.kind = 'client' GROUP BY ALL ORDER BY between_ms DESC""",
    ),
    (
        "How old are the features that are served?",
        """SELECT time_bucket(INTERVAL 10 MINUTE, ts) AS t, view,
       round(median(age_p50_s) / 60, 1) AS age_min, sum(n_missing) AS missing,
       sum(n_expired) AS expired, sum(n_rows) AS row_count
FROM feature_reads GROUP BY ALL ORDER BY ALL""",
    ),
    (
        "Does the stream processor keep up?",
        """SELECT ts, length, backlog, date_diff('second', last_processed_ts, last_event_ts) AS behind_s,
       round(rate_in, 1) AS per_s_in, round(rate_out, 1) AS per_s_out
FROM stream_stats WHERE ts > world_now() - INTERVAL 30 MINUTE ORDER BY ts""",
    ),
    (
        "Which rules drop candidates, by version of the rules?",
        """SELECT rules_version, rule_id, action, count(*) AS decisions,
       count(DISTINCT item_id) AS items
FROM rule_decisions GROUP BY ALL ORDER BY decisions DESC""",
    ),
    (
        "Does the index fit the encoder that asks it?",
        """SELECT ts, probe_set, index_version, encoder_version, round(recall_at_50, 3) AS recall
FROM recall_probe ORDER BY ts DESC LIMIT 20""",
    ),
    (
        "The slowest requests of the last hour, for `sandbox trace`",
        """SELECT request_id, ts, region, round(latency_ms, 1) AS ms, fallback
FROM requests WHERE ts > world_now() - INTERVAL 1 HOUR ORDER BY latency_ms DESC LIMIT 10""",
    ),
)

_HEAD = """\
<!-- Printed by `python -m sandbox.telemetry.reference`; do not edit by hand. -->
# Telemetry tables

With this page you can ask a running stack what happened to it:
`sandbox sql "SELECT count(*) FROM requests"`, or SQL typed straight into the drill shell.

- **Dialect**: DuckDB. One `SELECT` at a time, 10 s and 512 MB, at most 10,000 rows come back.
  Nothing can be written, and no file or setting can be read.
- **Times**: columns of type TIMESTAMP are world time (UTC). World time runs faster than the clock
  on the wall; durations in `_ms` are wall time. `world_now()` is the world time of the latest sample.
- **Times of a drill**: `$began`, `$paged` (once the page has come) and `$now` stand for world times, here (in
  single quotes, for a shell has its own `$`), in the drill shell and in the evidence of a report, where `$now` is
  when the report came.
- **Freshness**: a row is here at most 2 s (wall) after it happened.
- **Short forms**: `sandbox sql --tables`, `sandbox sql --describe TABLE`.
"""

_ALERTS = """
## What is in `alerts`

Each objective has an error budget: the share of bad events it allows. A `fast-burn` alert pages when
the budget burns six times too fast, a `slow-burn` ticket when it burns twice too fast, each over a
short window (it is going on) and a long one (it matters). An alert resolves when its short window
has stayed below {resolve:g} of the firing level for {calm:.0f} world minutes. Too few events in the
short window: no verdict, and the state stays as it is.

- **latency objective**: {latency_ms:.0f} ms, or {tail:g} times the healthy 95th percentile where that is
  more; typical requests are held against the healthy 90th percentile, or {median:g} healthy medians.
  What is healthy is learned after the first {warmup:.0f} world minutes of traffic.
- **age objectives**: {age_h:.0f} world hours for the batch views; {session_min:.0f} world minutes for the
  session row from a visit's second request on.
- **healthy band** of clicks and conversions: learned over at least {baseline:.0f} world minutes after
  that; the long window must lie below the healthy rate by {z:g} standard errors, too.

| rule | severity | fires when |
|---|---|---|
{rows}"""


def columns_of(name: str) -> tuple[Column, ...]:
    """The columns of a table or of `ic`. Raises LAKE-004 when there is no such table."""
    if name.lower() == "ic":
        types = {"clicked": "INTEGER", "converted": "INTEGER", "hidden": "INTEGER"}
        more = (Column(c, types.get(c, "DOUBLE"), text) for c, text in IC_COLUMNS.items())
        return (*TABLES["impressions"].columns, *more)
    if name.lower() not in TABLES:
        raise unknown_table(name)
    return TABLES[name.lower()].columns


def page() -> str:
    """The whole of docs/sql.md."""
    parts = [_HEAD, "\n## Questions to begin with\n"]
    parts += [f"\n{title}:\n\n```sql\n{query}\n```\n" for title, query in EXAMPLES]
    parts += [_indicators(), _alerts()]
    parts.append("\n## Tables\n\n| table | one row per | written by |\n|---|---|---|\n")
    parts += [f"| [{t.name}](#{t.name}) | {_cell(t.row)} | {t.writer} |\n" for t in TABLES.values()]
    parts.append(f"| [ic](#ic) | view: {_cell(IC_COMMENT)} | |\n")
    parts += [_section(t.name, f"One row per {t.row}. Written by: {t.writer}.") for t in TABLES.values()]
    parts.append(_section("ic", f"A view: {IC_COMMENT}."))
    return "".join(parts)


def _indicators() -> str:
    from sandbox.base.indicators import INDICATORS

    rows = "".join(f"| `{name}` | {_cell(text)} |\n" for name, text in INDICATORS.items())
    return f"\n## What is in `metrics`\n\n| name | value |\n|---|---|\n{rows}"


def _alerts() -> str:
    from sandbox.telemetry.settings import AlertSettings

    settings = AlertSettings()
    rows = [
        f"| `{o.name}-{w.suffix}` | {w.severity} | {o.summary}: {min(0.95, w.factor * o.budget_share):.1%}"
        f" or more over {w.short_s / 60:.0f} and over {w.long_s / 60:.0f} world minutes |\n"
        for o in settings.objectives
        for w in settings.windows
        if w.suffix in o.windows
    ]
    rows += [
        f"| `{b.name}-low` | page | {b.summary}: {b.tolerance_share:.0%} or more below it over"
        f" {b.short_s / 60:.0f} and over {b.long_s / 60:.0f} world minutes |\n"
        for b in settings.baselines
    ]
    return _ALERTS.format(
        latency_ms=settings.latency_ms, tail=settings.tail_factor, median=settings.median_factor, rows="".join(rows),
        session_min=settings.session_age_s / 60, age_h=settings.age_s["item_stats"] / 3600,
        warmup=settings.warmup_s / 60, baseline=settings.baseline_s / 60, z=settings.z_fire,
        resolve=settings.resolve_factor, calm=settings.calm_s / 60,
    )  # fmt: skip


def _section(name: str, text: str) -> str:
    rows = "".join(f"| `{c.name}` | {c.type} | {_cell(c.comment)} |\n" for c in columns_of(name))
    return f"\n### `{name}`\n\n{text}\n\n| column | type | holds |\n|---|---|---|\n{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(print_or_check(page(), sys.argv[1:]))
