"""The debrief as one document: what really happened, beside what was said and done. The terminal, `--json` and the
pages all show this and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox.drill.debrief import rubric
from sandbox.drill.debrief.timeline import timeline, wall_time
from sandbox.drill.play.deeds import played_of
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import Entry, first
from sandbox.drill.play.notebook import Look, Notebook
from sandbox.drill.play.report import NamedCause, Report, world_time
from sandbox.drill.play.standing import filed_report
from sandbox.drill.scenario import segments
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.scenario.truth import Cause

ENDS = ("report", "abandoned")


def debriefed(drill: Drill, result: dict[str, Any]) -> dict[str, Any]:
    """The debrief of a drill that is over. result: its `grading.outcome`."""
    plan = drill.plan
    told = document(drill.scenario, drill.entries(), result, Notebook(drill.directory).looks())
    return {**told, "drill": plan.drill, "backend": plan.backend, "world": plan.world,
            "responder": "script" if plan.autopilot else "trainee"}  # fmt: skip


def document(
    scenario: Scenario, entries: Sequence[Entry], result: dict[str, Any], looks: Iterable[Look] = ()
) -> dict[str, Any]:
    """result: the document of a grade, or of one without marks. looks: queries and other looks, noted or not.

    Times are world time, `wall` beside them is the wall clock (UTC), null where it is not known. `at_s`: world seconds
    since the drill began. `happened`: whether there was an incident (its fault may have been left out).
    """
    report, played = filed_report(list(entries)), played_of(scenario, list(entries))
    began_ts, end_ts = played.began_ts, _end_ts(entries)
    happened = played.onset_s is not None or bool(result.get("incident", False))
    seen = [look for look in looks if look.world_ts is None or look.world_ts <= end_ts]
    causes = sorted(scenario.truth.causes, key=lambda c: c.onset_s or 0.0) if happened else []
    page = first(list(entries), "page")
    return {
        **result,
        "items": rubric.explained(result, scenario, report, played, causes, happened),
        "title": scenario.title,
        "stars": scenario.stars,
        "world_rate": scenario.world_rate,
        "briefing": scenario.briefing,
        "began": world_time(began_ts),
        "ended": world_time(end_ts),
        "length_s": end_ts - began_ts,
        "happened": happened,
        "page": None if page is None else {"ts": world_time(page.world_ts), "wall": wall_time(page.wall_ts),
                                           "at_s": page.world_ts - began_ts, "text": str(page.fields["text"])},
        "report": None if report is None else reported(report),
        "compared": compared(scenario, causes, report, began_ts),
        "truth": scenario.truth.model_dump(mode="json"),
        "explanation": scenario.explanation,
        "teaches": scenario.teaches,
        "precedent": scenario.precedent,
        "look_alikes": list(scenario.look_alikes),
        "evidence": [e.model_dump() for e in scenario.evidence],
        "accepted": list(scenario.helpful),
        "best_response": best_response(scenario, began_ts) if happened else [],
        "queries": queries(seen, result, report),
        "timeline": timeline(entries, seen, began_ts),
    }  # fmt: skip


def reported(report: Report) -> dict[str, Any]:
    """What was reported, times as world time."""
    told = report.model_dump(mode="json")
    told["detected_at"] = _when(report.detected_at)
    for row, cause in zip(told["causes"], report.causes, strict=True):
        row["started_at"] = _when(cause.started_at)
        row["whom"] = segments.told(cause.segment)
    return told


def compared(
    scenario: Scenario, causes: Sequence[Cause], report: Report | None, began_ts: float
) -> list[dict[str, str]]:
    """Every cause beside what was said, in the order in which they began; what was said in its own. Rows
    {what, was, said}."""
    named = list(report.causes) if report is not None and report.incident else []
    silent = "-" if report is None else "none"
    rows: list[dict[str, str]] = []
    if not causes and not scenario.truth.incident:
        said = silent if report is None else ", ".join(cause.mechanism for cause in report.causes)
        rows.append(_row("explained by", scenario.truth.first.mechanism, said))
    for n in range(max(1, len(causes), len(named))):
        number = f" {n + 1}" if max(len(causes), len(named)) > 1 else ""
        was = causes[n] if n < len(causes) else None
        said_ = named[n] if n < len(named) else None
        rows += _side_by_side(number, was, said_, began_ts, silent)
    return rows


def best_response(scenario: Scenario, began_ts: float) -> list[dict[str, Any]]:
    """What is done in the run with the best response: rows {ts, at_s, action, against}."""
    causes = {cause.onset_s: f"{cause.component}: {cause.mechanism}" for cause in scenario.truth.causes}
    return [
        {"ts": world_time(began_ts + at_s), "at_s": at_s, "action": action, "against": causes[at_s]}
        for at_s, action in scenario.best_response
    ]


def queries(looks: Iterable[Look], result: dict[str, Any], report: Report | None) -> list[dict[str, Any]]:
    """Every query that was asked, once, in order, and those that the report alone has: rows {ts, wall, sql, claim,
    used, value, why}. used: evidence, ruled_out, or null for one that was not quoted. value: its strength as
    evidence, 0..1, null where it was not asked again."""
    rows: dict[str, dict[str, Any]] = {}
    for look in looks:
        if look.is_query:
            rows.setdefault(look.text, _query(look.text, look))
    if report is not None:
        for one in report.evidence:
            rows.setdefault(one.sql, _query(one.sql)).update(claim=one.claim, used="evidence")
        for other in report.ruled_out:
            if other.sql:
                rows.setdefault(other.sql, _query(other.sql)).update(
                    claim=other.claim or other.claimed, used="ruled_out"
                )
    for part in ("asked", "ruled_out", "evidence"):
        for found in result.get("looked", {}).get(part, ()):
            if found["sql"] in rows:
                rows[found["sql"]] |= {"value": found["value"], "why": found["why"]}
    return list(rows.values())


def _query(sql: str, look: Look | None = None) -> dict[str, Any]:
    ts, wall = (None, None) if look is None else (_when(look.world_ts), wall_time(look.wall_ts))
    return {"ts": ts, "wall": wall, "sql": sql, "claim": "", "used": None, "value": None, "why": ""}


def _side_by_side(
    number: str, was: Cause | None, said: NamedCause | None, began_ts: float, silent: str
) -> list[dict[str, str]]:
    began = world_time(began_ts + was.onset_s) if was is not None and was.onset_s is not None else "never"
    nobody, never = ("nobody", "never") if silent == "none" else (silent, silent)
    return [
        _row(f"component{number}", was.component if was else "none", said.component if said else silent),
        _row("mechanism", was.mechanism if was else "none", said.mechanism if said else silent),
        _row("began", began, (_when(said.started_at) if said else None) or never),
        _row("whom", segments.told(was.segment) if was else "nobody", segments.told(said.segment) if said else nobody),
    ]


def _row(what: str, was: str, said: str) -> dict[str, str]:
    return {"what": what, "was": was, "said": said}


def _when(ts: float | None) -> str | None:
    return None if ts is None else world_time(ts)


def _end_ts(entries: Sequence[Entry]) -> float:
    """When the report came or it was given up; else the latest of the journal, in which a failure has no world time."""
    return next((e.world_ts for e in entries if e.what in ENDS), max(e.world_ts for e in entries))
