"""The debrief: what really happened, beside what was said and done."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.drill import charts
from sandbox.drill.course import course_of
from sandbox.drill.journal import Entry
from sandbox.drill.report import Report, world_time
from sandbox.drill.scenario import Scenario

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
        "accepted": list(scenario.accept),
        "timeline": [
            {"ts": world_time(e.world_ts), "what": _TOLD[e.what], "words": _words(e)}
            for e in sorted(entries, key=lambda e: e.world_ts) if _worth_telling(e)
        ],
    }  # fmt: skip


def render(
    scenario: Scenario, entries: list[Entry], report: Report | None, result: dict[str, Any]
) -> RenderableType:
    """The debrief for people. report: None for a drill that ended without one."""
    score, baseline = result["score"], result["baseline_score"]
    happened = course_of(scenario, entries).onset_s is not None
    graded = f"score [bold]{score:.0%}[/]    (an answer without looking: {baseline:.0%})"
    head = Text.from_markup(
        f"[bold]{escape(scenario.title)}[/]    {graded if report else 'given up, without marks'}"
    )
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
        parts.append(
            Panel("This time the fault was left out: nothing was wrong.", title="What happened")
        )
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
        shown = f"[{colour}]{item['score']:.2f}[/]" if item["max"] else "[dim]-[/]"
        table.add_row(item["item"], shown, f"{item['max']:.2f}", escape(item["why"]))
    return table


def _truth(scenario: Scenario, happened: bool, report: Report | None) -> Table:
    truth = scenario.truth
    table = Table("", "it was", "you said", box=None, pad_edge=False)
    everyone = "everyone"
    component = truth.component if happened else "none"
    mechanism = truth.mechanism if happened or not truth.incident else "none"
    whom = str(truth.segment or everyone) if happened else "nobody"
    said = ("-", "-", "-")
    if report is not None:
        hit = str(report.segment or everyone) if report.incident else "nobody"
        said = (report.component, report.mechanism, hit)
    table.add_row("component", component, said[0])
    table.add_row("mechanism", mechanism, said[1])
    table.add_row("whom", whom, said[2])
    return table


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
    return entry.what in _TOLD and (
        entry.what != "step" or "change" in fields or "release" in fields
    )


def _words(entry: Entry) -> str:
    fields = entry.fields
    if entry.what == "step":
        return f"{fields['target']}: " + "; ".join(
            str(fields[k]) for k in ("change", "release") if k in fields
        )
    if entry.what == "armed":
        return f"{fields['fault']} on {fields['target']}"
    if entry.what == "disarmed":
        return f"ended by: {fields['why']}"
    if entry.what == "page":
        return str(fields["text"]).strip().splitlines()[0]
    if entry.what == "report":
        said = fields["report"]
        return (
            f"{said['component']}: {said['mechanism']}" if said["incident"] else "nothing is wrong"
        )
    return str(fields.get("text", ""))


def _evidence(scenario: Scenario) -> Text:
    """Each claim and below it its query, nothing beside it, so that it can be copied."""
    return Text("\n").join(
        Text.assemble((f"{one.claim}\n", "bold"), (f"{one.sql.strip()}\n", "dim"))
        for one in scenario.evidence
    )
