"""A scenario as a picture, with its truth: in the terminal and as SVG. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

import numpy as np

from faults.scope import Scope
from sandbox.base.catalogue import REGIONS
from sandbox.drill.scenario.scenario import Scenario, Step

Kind = Literal["change", "release", "fault", "traffic", "page", "evidence"]
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MARKS = {"change": "·", "release": "●", "page": "▲", "evidence": "◆"}
_COLOURS = {"change": "#95a5a6", "release": "#2980b9", "fault": "#c0392b", "traffic": "#8e44ad",
            "page": "#d35400", "evidence": "#27ae60"}  # fmt: skip
_TRACK = 48  # columns of the terminal
_POINTS = 240  # of a curve in a picture


@dataclass(frozen=True)
class Line:
    """One line of the picture. at_s: where it begins. curve: float64 [n], 0..1 over the time of the picture, of what
    goes on for a while; None for what happens at one moment. guilty: part of the truth."""

    kind: Kind
    at_s: float
    label: str
    curve: np.ndarray | None = None
    guilty: bool = False


def horizon_s(scenario: Scenario) -> float:
    """World seconds that the picture spans: all that happens, and some time after it."""
    return min(scenario.length_s, 1.3 * max(line.at_s for line in _lines(scenario, scenario.length_s)))


def lines_of(scenario: Scenario) -> list[Line]:
    """Everything that happens, in the order of time."""
    return _lines(scenario, horizon_s(scenario))


def told(scenario: Scenario) -> list[str]:
    """The truth, a line for each cause."""
    lines = []
    for cause in scenario.truth.causes:
        when = "" if cause.onset_s is None else f", from world minute {cause.onset_s / 60:g}"
        whom = ", ".join(f"{c}={v}" for c, v in cause.segment.items()) or "everyone"
        lines.append(f"{cause.component}: {cause.mechanism}{when}, {whom}")
    return lines


def in_blocks(scenario: Scenario, width: int = 100) -> str:
    """For the terminal: a track of time for each line, strength in eighths. width: columns."""
    track = max(16, min(_TRACK, width - 44))
    lines = lines_of(scenario)
    length = horizon_s(scenario)
    out = [f"{'min':>6}  {'0':<{track - 6}}{length / 60:>6g}"]
    for line in lines:
        flag = "!" if line.guilty else " "
        out.append(f"{line.at_s / 60:>6g}{flag} {_track(line, length, track)}  {line.label}")
    return "\n".join(out)


def as_svg(scenario: Scenario, width: int = 980) -> str:
    """A picture of its own."""
    lines, row, left, top = lines_of(scenario), 26, 16, 64
    right = width - 16
    height = top + row * 2 * len(lines) + 44
    length = horizon_s(scenario)

    def x(at_s: float) -> float:
        return left + (right - left) * min(1.0, at_s / length)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(left, 24, f"{scenario.id}: {scenario.title}", bold=True),
        _text(left, 44, "; ".join(told(scenario))),
    ]
    for part in range(7):
        at = length * part / 6
        parts.append(f'<line x1="{x(at):.1f}" y1="{top}" x2="{x(at):.1f}" y2="{height - 36}" stroke="#eeeeee"/>')
        anchor = "start" if part == 0 else "end" if part == 6 else "middle"
        parts.append(_text(x(at), height - 18, f"{at / 60:g}" + (" world minutes" if part == 6 else ""), anchor))
    for n, line in enumerate(lines):
        y = top + row * 2 * n + row
        parts += _drawn(line, x, y, length)
    return "\n".join([*parts, "</svg>", ""])


def _lines(scenario: Scenario, length_s: float) -> list[Line]:
    found = [line for step in scenario.timeline for line in _of_step(step, length_s)]
    if scenario.load.to_per_s is not None:
        rates = scenario.load.per_s(_grid(length_s)) / scenario.load.peak_per_s
        told = (
            f"traffic: {scenario.load.shape} from {scenario.load.rate_per_s:g} to {scenario.load.to_per_s:g} per second"
        )
        found.append(Line("traffic", scenario.load.at_s or 0.0, told, rates))
    pager = scenario.pager
    told = f"alert {pager.rule}, or now" if pager.kind == "alert" else "somebody writes"
    found.append(Line("page", pager.at_s, f"page: {told}"))
    found.append(Line("evidence", scenario.evidence_by_s, "the evidence is due"))
    return sorted(found, key=lambda line: line.at_s)


def _of_step(step: Step, length_s: float) -> list[Line]:
    found = []
    if step.change is not None:
        found.append(
            Line("change", step.at_s, f"{step.target}: {step.change.key} {step.change.old or '-'} -> {step.change.new}")
        )
    if step.release is not None:
        found.append(Line("release", step.at_s, f"{step.target}: {step.release.key} -> {step.release.new}, released"))
    if step.fault is not None:
        since = _grid(length_s) - step.at_s
        until = np.inf if step.until_s is None else step.until_s
        strength = np.array([step.onset.strength(float(s)) for s in since]) * (_grid(length_s) < until)
        whom = ", ".join(_held(step.scope))
        parts = [step.fault.name, *(f"{k}={v}" for k, v in step.fault.params.items()), *([whom] if whom else [])]
        share = "" if step.share == 1 else f", {step.share:.0%} of calls"
        found.append(
            Line("fault", step.at_s, f"{step.target}: {' '.join(parts)}{share}", strength * step.share, step.harmful)
        )
    return found


def _held(scope: Scope) -> Iterator[str]:
    """The conditions of a scope, regions by name."""
    for part, value in scope.model_dump(exclude_defaults=True).items():
        values = value if isinstance(value, tuple | list) else [value]
        names = [REGIONS[v] for v in values] if part == "regions" else list(map(str, values))
        yield f"{part} {'-'.join(names) if part == 'user_buckets' else ' '.join(names)}"


def _grid(length_s: float) -> np.ndarray:
    return np.linspace(0.0, length_s, _POINTS)


def _track(line: Line, length_s: float, columns: int) -> str:
    if line.curve is None:
        at = min(columns - 1, int(line.at_s / length_s * columns))
        return " " * at + _MARKS[line.kind] + " " * (columns - 1 - at)
    parts = np.array_split(line.curve, columns)
    eighths = [0 if part.max() == 0 else max(1, round(float(part.max()) * 8)) for part in parts]
    return "".join(_EIGHTHS[e] for e in eighths)


def _drawn(line: Line, x: object, y: float, length_s: float) -> list[str]:
    assert callable(x)
    colour = _COLOURS[line.kind]
    shown = line.label if len(line.label) <= 110 else line.label[:109] + "…"
    text = f"{line.at_s / 60:g}  {shown}"
    anchor, at = ("start", x(line.at_s) + 8) if line.at_s < length_s * 0.55 else ("end", x(line.at_s) - 8)
    parts = [_text(at, y - 2, text, anchor, bold=line.guilty)]
    if line.curve is None:
        return [f'<circle cx="{x(line.at_s):.1f}" cy="{y - 6:.1f}" r="5" fill="{colour}"/>', *parts]
    base, high = y + 18, 14
    points = " ".join(
        f"{x(at_s):.1f},{base - high * float(v):.1f}" for at_s, v in zip(_grid(length_s), line.curve, strict=True)
    )
    edge = f"{x(0.0):.1f},{base} {points} {x(length_s):.1f},{base}"
    return [f'<polygon points="{edge}" fill="{colour}" fill-opacity="0.35" stroke="{colour}"/>', *parts]


def _text(x: float, y: float, words: str, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'
