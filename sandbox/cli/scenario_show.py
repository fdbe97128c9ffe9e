"""`sandbox scenario show`, for people."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from sandbox.cli.output import out


def print_settings(document: dict[str, Any]) -> None:
    """What a scenario can be made of."""
    table = Table(box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True, min_width=max(map(len, document["settings"])))
    table.add_column("default", overflow="fold")
    table.add_column("range", overflow="fold")
    for name, of in document["settings"].items():
        default = str(of["default"])
        shown = default if len(default) <= 60 else default[:59] + "…"
        table.add_row(name, escape(shown), of["range"] or "-")
    out.print(table)
    for label in (
        "regions",
        "languages",
        "topics",
        "sources",
        "labels",
        "rules",
        "paths",
        "alert_rules",
        "load_shapes",
        "inputs",
    ):
        _list(label.replace("_", " "), document[label])
    for artefact, versions in document["versions"].items():
        _list(f"{artefact} versions", versions)
    for edge, ops in document["edges"].items():
        _list(edge, ops)
    for column, values in document["segments"].items():
        _list(f"segment {column}", values)


def _list(label: str, names: list[str]) -> None:
    out.print(f"[dim]{escape(label)}[/]  {escape(', '.join(map(str, names)))}")


def print_days(rows: list[dict[str, Any]]) -> None:
    """Each query with its first row on both days."""
    for row in rows:
        out.print(f"\n[bold]{escape(row['query'])}[/]  {escape(row['claim'])}\n[dim]{escape(row['predicate'])}[/]")
        columns = row["broken"]["columns"] or row["healthy"]["columns"]
        table = Table("", *columns, "holds", box=None, pad_edge=False)
        for day in ("healthy", "broken"):
            answer = row[day]
            for n, values in enumerate(answer["rows"] or [[None] * len(columns)]):
                holds = {True: "yes", False: "no", None: "fails"}[answer["holds"]] if n == 0 else ""
                table.add_row(day if n == 0 else "", *(_cell(v) for v in values), holds)
        out.print(table)
        for day in ("healthy", "broken"):
            if "failed" in row[day]:
                out.print(f"[red]{day}: {escape(row[day]['failed'])}[/]")


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else escape(str(value))
