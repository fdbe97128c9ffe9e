"""A model's card: what it was made from, how well it does for whom, and what of that cannot be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox.base.clock import iso
from sandbox.pipeline.stages.slices import Figure
from sandbox.pipeline.training_set import LABEL_WINDOW_H

METRICS = ("auc", "calibration", "calibration_slope", "ece", "tpr", "specificity", "exposure_ratio")


@dataclass(frozen=True)
class Page:
    """rows: (slice, rows, clicks, cell by metric); bars: (slice, AUC, AUC in force or None); places: (place, text)."""

    facts: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, int, int, dict[str, str]]]
    bars: Sequence[tuple[str, float, float | None]]
    places: Sequence[tuple[str, str]]


def page(trained: dict[str, Any], told: Iterable[tuple[str, Figure]], as_of: float) -> Page:
    """trained: the document trained.json. told: figures by model: candidate, live, log."""
    by: dict[str, dict[tuple[str, str], Figure]] = {"candidate": {}, "live": {}, "log": {}}
    for who, figure in told:
        by[who][figure.slice, figure.metric] = figure
    rows, bars = [], []
    for name in dict.fromkeys(name for name, _ in by["candidate"]):
        ours = {metric: by["candidate"].get((name, metric)) for metric in METRICS}
        auc, live = ours["auc"], by["live"].get((name, "auc"))
        assert auc is not None, "every slice has an AUC, or why it has none"
        rows.append((name, auc.n, auc.n_clicks, {metric: _cell(figure) for metric, figure in ours.items()}))
        if auc.value is not None:
            bars.append((name, auc.value, live.value if live else None))
    places = [(name.partition("=")[2], _cell(figure)) for (name, _), figure in by["log"].items()]
    return Page(_facts(trained, as_of), rows, bars, places)


def markdown(page: Page) -> str:
    lines = ["# Ranker", "", *(f"- {name}: {value}" for name, value in page.facts), ""]
    lines += [f"| slice | rows | clicks | {' | '.join(METRICS)} |", f"|---|---|---|{'---|' * len(METRICS)}"]
    lines += [
        f"| {name} | {n:,} | {clicks:,} | {' | '.join(cells[metric] for metric in METRICS)} |"
        for name, n, clicks, cells in page.rows
    ]
    if page.places:
        lines += [
            "",
            "Clicks per row by place, where chance put the item there:",
            "",
            "| place | clicks per row |",
            "|---|---|",
        ]
        lines += [f"| {place} | {text} |" for place, text in page.places]
    return "\n".join(lines) + "\n"


def html(page: Page) -> str:
    return _template().render(page=page, metrics=METRICS)


@cache
def _template() -> Any:
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("card.html.j2")


def _facts(trained: dict[str, Any], as_of: float) -> list[tuple[str, str]]:
    return [
        ("known up to", f"{iso(as_of)} (world)"),
        ("trained on", f"{trained['rows']:,} rows before {iso(trained['cut_ts'])}; the rest is held out"),
        ("conversion label", f"within {LABEL_WINDOW_H:g} h of the click; later ones are negatives for ever"),
        ("seed", str(trained["seed"])),
        ("inputs", str(len(trained["inputs"]))),
        ("levels", "calibration, its slope and ece are of rows at the first place: scores are those of it"),
    ]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return figure.reason or "–" if figure.value is None else f"{figure.value:.4f}"
