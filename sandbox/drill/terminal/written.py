"""A report as its questions left it: as the fields of a Report, as it is typed, and as lines to be looked at.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from sandbox.drill.play.report import SIZED
from sandbox.drill.scenario import taxonomy
from sandbox.drill.scenario.harms import UNITS

_CAUSE = ("component", "mechanism", "started_at", "segment")


def answers_of(draft: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Report."""
    common = ("incident", "evidence", "ruled_out", "confidence", "notes")
    fields = {name: draft[name] for name in common if name in draft}
    if not draft["incident"]:
        return {**fields, "mechanism": draft["mechanism"]}
    fields |= {name: draft[name] for name in ("detected_at", "impact")}
    causes = [{name: cause[name] for name in _CAUSE} for cause in draft["causes"]]
    return {**fields, **causes[0]} if len(causes) == 1 else {**fields, "causes": causes}


def lines_of(draft: dict[str, Any]) -> list[str]:
    """A line for each thing it says, the part's name before it."""
    lines = [("incident", "yes" if draft["incident"] else "no, a false alarm")]
    if draft["incident"]:
        causes = draft["causes"]
        for number, cause in enumerate(causes, 1):
            name = "causes" if len(causes) == 1 else f"causes, {number}"
            lines.append((name, _cause(cause)))
        lines.append(("detected", draft["detected_at"]))
        lines.append(("impact", ", ".join(map(_size, draft["impact"].items())) or "not said"))
    else:
        lines.append(("causes", draft["mechanism"]))
    for one in draft["evidence"]:
        lines.append(("evidence", f"{one['claim']}: {shorten(one['sql'], 80, placeholder=' ...')}"))
    for one in draft["ruled_out"]:
        lines.append(("ruled_out", f"{one['what']}: {shorten(one['sql'], 80, placeholder=' ...')}"))
    lines += [(name, "none") for name in ("evidence", "ruled_out") if not draft[name]]
    lines += [("confidence", f"{draft['confidence']:.0%}"), ("notes", draft["notes"] or "none")]
    return [f"  {name:<12} {text}" for name, text in lines]


def _cause(cause: dict[str, Any]) -> str:
    whom = ", ".join(
        f"{column}={value if isinstance(value, str) else ' or '.join(value)}"
        for column, value in cause["segment"].items()
    )
    return f"{cause['component']}, {cause['mechanism']}, since {cause['started_at']}, {whom or 'everyone'}"


def _size(named: tuple[str, Any]) -> str:
    name, size = named
    if isinstance(size, dict):
        return f"{name} {size['estimate']:g} ({size['low']:g} to {size['high']:g})"
    return f"{name} {size:g}"


def pairs(segment: dict[str, Any]) -> str:
    """A segment as it is typed."""
    return " ".join(
        f"{column}={value if isinstance(value, str) else ','.join(value)}" for column, value in segment.items()
    )


def ranges(impact: dict[str, Any]) -> str:
    """Sizes of harm as they are typed."""
    return " ".join(
        f"{name}={size:g}"
        if not isinstance(size, dict)
        else f"{name}={size['low']:g}..{size['estimate']:g}..{size['high']:g}"
        for name, size in impact.items()
    )


def units() -> str:
    """The metrics of harm, each with its unit."""
    width = max(map(len, SIZED))
    told = (f"  {name:<{width}}  {UNITS.get(name, 'users')}" for name in SIZED)
    return "\n".join(["harm is counted in:", *told])


def listed(words: Sequence[str]) -> str:
    """One to a line, each with what it is about."""
    about = {c.name: c.about for c in taxonomy.COMPONENTS.values()}
    about |= {m.name: m.about for m in taxonomy.MECHANISMS.values()}
    width = max(map(len, words))
    return "\n".join(f"  {word:<{width}}  {about.get(word, 'a family')}" for word in words)
