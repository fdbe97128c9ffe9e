"""The scenarios that there are, as a list that gives none of them away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sandbox.drill.play import drills
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Scenario


def rows(spoilers: bool = False) -> list[dict[str, Any]]:
    """One for each scenario, the gentlest first: {name, title, difficulty, teaches, minutes}.

    teaches: None until a drill of it has had its debrief here. spoilers: it is told of all, and besides
    {precedent, faults, truth}. Files of packs of one's own that cannot be played come last: {name, file,
    refused}, the last of which says why.
    """
    shelf = library.shelf()
    pack = sorted(shelf.scenarios.values(), key=lambda s: (s.stars, s.minutes, s.id))
    known = {s.id for s in pack} if spoilers else drills.debriefed()
    return [
        *(_row(s, s.id in known) | (_answer(s) if spoilers else {}) for s in pack),
        *(
            {"name": path.stem, "file": str(path), "refused": f"{error.where}: expected {error.expected}"}
            for path, error in shelf.refused.items()
        ),
    ]


def view(listed: list[dict[str, Any]]) -> RenderableType:
    """The rows for people. Of what the list may not tell there is no column."""
    refused = [row for row in listed if "refused" in row]
    if refused:
        return Group(view([row for row in listed if "refused" not in row]), *map(_refusal, refused))
    if listed and "truth" in listed[0]:
        return Group(*(part for row in listed for part in _told(row)))
    teaches = any(row["teaches"] for row in listed)
    shown = Table("name", "title", "difficulty", "minutes", *["teaches"] * teaches)
    for row in listed:
        cells = [row["name"], row["title"], "★" * row["difficulty"], f"{row['minutes']:g}"]
        shown.add_row(*map(escape, cells), *[escape(row["teaches"] or "")] * teaches)
    return shown


def _told(row: dict[str, Any]) -> Iterator[RenderableType]:
    """A scenario with its answer: too much for a line of a table."""
    yield Text(f"{row['name']}  {'★' * row['difficulty']}  {row['title']}", style="bold")
    causes = [f"{c['component']}, {c['mechanism']}" for c in row["truth"]["causes"]]
    for label, told in (("truth", "; ".join(causes)), ("faults", ", ".join(row["faults"])),
                        ("teaches", row["teaches"]), ("precedent", row["precedent"])):  # fmt: skip
        yield Text(f"  {label:<11}{told}")


def _refusal(row: dict[str, Any]) -> RenderableType:
    text = Text(f"\n{row['file']} is refused", style="yellow")
    text.append(f"\n  {row['refused']}\n  see all of it: sandbox scenario check {row['file']}")
    return text


def _row(scenario: Scenario, taught: bool) -> dict[str, Any]:
    return {
        "name": scenario.id,
        "title": scenario.title,
        "difficulty": scenario.stars,
        "teaches": scenario.teaches if taught else None,
        "minutes": scenario.minutes,
    }


def _answer(scenario: Scenario) -> dict[str, Any]:
    return {
        "precedent": scenario.precedent,
        "faults": [step.fault.name for step in scenario.timeline if step.fault is not None],
        "truth": scenario.truth.model_dump(mode="json"),
    }
