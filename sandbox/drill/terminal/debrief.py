"""The debrief: what really happened, beside what was said and done."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.drill.play.deeds import played_of
from sandbox.drill.play.journal import Entry
from sandbox.drill.play.report import Report, world_time
from sandbox.drill.scenario import segments
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.terminal import charts

_TOLD = {"step": "change", "armed": "the fault begins", "disarmed": "the fault ends", "page": "page",
         "action": "you act", "hint": "you take a hint", "report": "you report",
         "abandoned": "you give it up"}  # fmt: skip


def document(scenario: Scenario, entries: list[Entry], result: dict[str, Any]) -> dict[str, Any]:
    """The debrief for programs: the grade, the truth and the timeline."""
    truth = scenario.truth.model_dump(mode="json")
    return {
        **result,
        "title": scenario.title,
        "truth": truth,
        "explanation": scenario.explanation,
        "teaches": scenario.teaches,
        "precedent": scenario.precedent,
        "look_alikes": list(scenario.look_alikes),
        "evidence": [e.model_dump() for e in scenario.evidence],
        "accepted": list(scenario.helpful),
        "timeline": [
            {"ts": world_time(e.world_ts), "what": _TOLD[e.what], "words": _words(e)}
            for e in sorted(entries, key=lambda e: e.world_ts)
            if _worth_telling(e)
        ],
    }


def render(scenario: Scenario, entries: list[Entry], report: Report | None, result: dict[str, Any]) -> RenderableType:
    """The debrief for people. report: None for a drill that ended without one."""
    score, baseline = result["score"], result["baseline_score"]
    happened = played_of(scenario, entries).onset_s is not None or result.get("incident", False)
    graded = f"score [bold]{score:.0%}[/]    (an answer without looking: {baseline:.0%})"
    head = Text.from_markup(f"[bold]{escape(scenario.title)}[/]    {graded if report else 'given up, without marks'}")
    if blind := result.get("baseline_answer"):
        head.append(f"\nwithout looking: {blind}", style="dim")
    parts: list[RenderableType] = [head, _items(result)]
    if result.get("twin"):
        told = result["twin"]
        parts.append(Text(charts.in_blocks(charts.curves(told, charts.tells_most(told)))))
    parts += [Text(notice, style="yellow") for notice in result.get("notices", [])]
    parts.append(_truth(scenario, happened, report))
    parts.append(_timeline(entries))
    if happened or not scenario.truth.incident:
        parts.append(Panel(escape(scenario.explanation.strip()), title="What happened"))
    else:
        parts.append(Panel("This time the fault was left out: nothing was wrong.", title="What happened"))
    parts.append(_evidence(scenario))
    parts.append(
        Text.from_markup(
            f"[dim]teaches[/]      {escape(scenario.teaches)}\n"
            f"[dim]precedent[/]    {escape(scenario.precedent)}\n"
            f"[dim]looks like[/]   {escape(', '.join(scenario.look_alikes)) or '-'}"
        )
    )
    return Group(*parts)


def _items(result: dict[str, Any]) -> Table:
    table = Table("item", "score", "of", "why", box=None, pad_edge=False)
    for item in result["items"]:
        if item["max"] == 0 and item["item"] in ("impact", "evidence"):
            continue
        full = item["max"] > 0 and item["score"] >= item["max"] - 1e-9
        colour = "green" if full else "yellow" if item["score"] > 0 else "red"
        shown = f"[{colour}]{item['score']:.2f}[/]" if item["max"] or item["score"] else "[dim]-[/]"
        table.add_row(item["item"], shown, f"{item['max']:.2f}", escape(item["why"]))
    return table


def _truth(scenario: Scenario, happened: bool, report: Report | None) -> Table:
    """Every cause beside what was said, in the order in which they began; what was said in its own."""
    table = Table("", "it was", "you said", box=None, pad_edge=False)
    causes = sorted(scenario.truth.causes, key=lambda c: c.onset_s or 0.0) if happened else []
    named = list(report.causes) if report is not None and report.incident else []
    silent = "-" if report is None else "none"
    if not causes and not scenario.truth.incident:
        table.add_row(
            "explained by", scenario.truth.first.mechanism, _said(report, "mechanism") if report is not None else silent
        )
    for n in range(max(1, len(causes), len(named))):
        was = causes[n] if n < len(causes) else None
        said = named[n] if n < len(named) else None
        number = f" {n + 1}" if max(len(causes), len(named)) > 1 else ""
        table.add_row(f"component{number}", was.component if was else "none", said.component if said else silent)
        table.add_row("mechanism", was.mechanism if was else "none", said.mechanism if said else silent)
        table.add_row(
            "whom",
            segments.told(was.segment) if was else "nobody",
            segments.told(said.segment) if said else "nobody" if report else silent,
        )
    return table


def _said(report: Report, field: str) -> str:
    return ", ".join(str(getattr(cause, field)) for cause in report.causes)


def _timeline(entries: list[Entry]) -> Table:
    table = Table("world time", "", "", box=None, pad_edge=False)
    for entry in sorted(entries, key=lambda e: e.world_ts):
        if not _worth_telling(entry):
            continue
        hot = entry.what in ("armed", "page", "disarmed")
        stamp = world_time(entry.world_ts)[11:]
        told = f"[bold]{_TOLD[entry.what]}[/]" if hot else _TOLD[entry.what]
        table.add_row(stamp, told, escape(_words(entry)))
    return table


def _worth_telling(entry: Entry) -> bool:
    """Steps that released nothing are told by the fault that they armed."""
    fields = entry.fields
    return entry.what in _TOLD and (entry.what != "step" or "change" in fields or "release" in fields)


def _words(entry: Entry) -> str:
    fields = entry.fields
    if entry.what == "step":
        return f"{fields['target']}: " + "; ".join(str(fields[k]) for k in ("change", "release") if k in fields)
    if entry.what == "armed":
        return f"{fields['fault']} on {fields['target']}"
    if entry.what == "disarmed":
        return f"ended by: {fields['why']}"
    if entry.what == "page":
        return str(fields["text"]).strip().splitlines()[0]
    if entry.what == "report":
        said = fields["report"]
        causes = (f"{cause['component']}: {cause['mechanism']}" for cause in said["causes"])
        return "; ".join(causes) if said["incident"] else "nothing is wrong"
    return str(fields.get("text", ""))


def _evidence(scenario: Scenario) -> Text:
    """Each claim and below it its query, nothing beside it, so that it can be copied."""
    return Text("\n").join(
        Text.assemble((f"{one.claim}\n", "bold"), (f"{one.sql.strip()}\n", "dim")) for one in scenario.evidence
    )
