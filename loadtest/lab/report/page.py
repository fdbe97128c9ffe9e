"""A page of the lab: headings, sentences, charts and tables, in one HTML file without script or network. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loadtest.lab.report.charts import Chart

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """One part of a page. table: rows of words, the first of them its head."""

    heading: str
    texts: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    table: Sequence[Sequence[str]] = ()


def page(title: str, subtitle: str, parts: Sequence[Part], notices: Sequence[str] = ()) -> str:
    """The whole page. Every word is escaped."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template("page.html.j2").render(
        title=title, subtitle=subtitle, parts=parts, notices=notices, style=style, style_hash=f"sha256-{digest}"
    )  # fmt: skip


def svg(chart: Chart) -> str:
    """One chart as a file of its own, on white paper."""
    template = _environment().get_template("chart.svg.j2")
    drawn = str(template.module.draw(chart))  # type: ignore[attr-defined]
    style = _style().replace("@media (prefers-color-scheme: dark)", "@media not all")
    paper = f'<rect width="{chart.width}" height="{chart.height}" fill="#fff"/>'
    begins, rest = drawn.split(">", 1)
    return f'{begins} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{paper}{rest}\n'


def number(value: float | None, unit: str = "") -> str:
    """Three significant digits, or all before the point; – for none."""
    if value is None:
        return "–"
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}") + unit


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def _style() -> Markup:
    return Markup((_HERE / "page.css").read_text())
