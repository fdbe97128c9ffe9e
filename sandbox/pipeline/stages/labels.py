"""Sessions and labels: a row per item shown, with what came of it, when that happened and when it was known."""

from __future__ import annotations

from sandbox.pipeline.stages.relations import counted
from sandbox.pipeline.stages.spec import Stage, Tally, Work
from sandbox.pipeline.training_set import LABEL_WINDOW_H

_WINDOW_S = "3600 * CASE kind WHEN 'click' THEN $click_h WHEN 'conversion' THEN $conversion_h ELSE $after_click_h END"
# An item that stands twice in one slate: what came of it is put down to its first place.
_PUT_DOWN = """CREATE TEMP TABLE put_down AS
SELECT o.*, i.position, CASE
  WHEN i.shown_ts IS NULL THEN 'no_impression'
  WHEN o.event_ts < i.shown_ts OR o.event_ts > i.shown_ts + {window} THEN 'outside_window' END AS reason
FROM outcomes_kept AS o LEFT JOIN (
  SELECT request_id, item_id, min(event_ts) AS shown_ts, min(position) AS position
  FROM impressions_kept SEMI JOIN outcomes_kept USING (request_id, item_id) GROUP BY 1, 2
) AS i USING (request_id, item_id)"""
# Of several of a kind the earliest counts, with the clock times of that very one.
_KINDS = {"click": ("value",), "dwell": ("value",), "like": (), "hide": (), "conversion": ()}
_PIVOT = "CREATE TEMP TABLE came AS SELECT request_id, item_id, position{columns} FROM put_down WHERE reason IS NULL GROUP BY ALL"
_LABELS = """SELECT i.event_ts AS ts, i.known_ts, i.request_id, {session} AS session_id, i.user_id, i.item_id, i.position,
  i.propensity, click_ts, click_known_ts, click_value, dwell_ts, dwell_known_ts, dwell_value AS dwell_s, like_ts, like_known_ts,
  hide_ts, hide_known_ts, conversion_ts, conversion_known_ts, i.event_ts + $label_s <= $as_of AS mature
FROM impressions_kept AS i LEFT JOIN came USING (request_id, item_id, position)
ORDER BY ts, i.request_id, i.position, i.item_id, i.known_ts"""


def run(work: Work) -> Tally:
    settings = work.config.labels.model_dump()
    gap_s = 3_600.0 * settings.pop("session_gap_h")
    work.db.execute(_PUT_DOWN.format(window=_WINDOW_S), settings)
    first = "arg_min({what}, (event_ts, known_ts)) FILTER (kind = '{kind}') AS {name}"
    columns = "".join(
        f", {first.format(what=what, kind=kind, name=name)}"
        for kind, more in _KINDS.items()
        for what, name in (
            ("event_ts", f"{kind}_ts"), ("known_ts", f"{kind}_known_ts"), *((m, f"{kind}_{m}") for m in more)
        )
    )  # fmt: skip
    work.db.execute(_PIVOT.format(columns=columns))
    session = _session(work, gap_s)
    n_out = work.write("labels", _LABELS.format(session=session), label_s=LABEL_WINDOW_H * 3_600.0, as_of=work.as_of)
    dropped = {r: n for r, n in counted(work, "SELECT reason FROM put_down").items() if r is not None}
    n_outcomes = work.one("SELECT count(*) FROM put_down")[0]
    newest = work.one("SELECT max(event_ts) FROM impressions_kept")[0]
    return Tally(n_out + n_outcomes, n_out, dict(sorted(dropped.items())), newest)


def _session(work: Work, gap_s: float) -> str:
    """SQL of a row's visit. Where the source names none: rows of a user without a long gap, as
    numbers below zero."""
    if not work.one("SELECT count(*) FROM impressions_kept WHERE session_id IS NULL")[0]:
        return "i.session_id"
    work.db.execute(
        "CREATE TEMP TABLE visits AS SELECT request_id, user_id,"
        f" -sum((gap IS NULL OR gap > {gap_s})::INT) OVER (ORDER BY user_id, ts, request_id) AS visit FROM ("
        "  SELECT request_id, user_id, ts, ts - lag(ts) OVER (PARTITION BY user_id ORDER BY ts, request_id) AS gap FROM ("
        "    SELECT request_id, user_id, min(event_ts) AS ts FROM impressions_kept GROUP BY 1, 2))"
    )
    visit = "SELECT visit FROM visits AS v WHERE v.request_id = i.request_id AND v.user_id = i.user_id"
    return f"coalesce(i.session_id, ({visit}))::BIGINT"


STAGE = Stage(
    "labels",
    ("impressions_kept", "outcomes_kept"),
    ("labels",),
    ("as_of", "labels"),
    run,
    "a row per item shown: its visit, what came of it within the window, and when that was known",
)
