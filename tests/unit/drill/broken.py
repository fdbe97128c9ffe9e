"""Sound scenarios, and the same with one thing changed, checked."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

from sandbox.base import strict_yaml
from sandbox.drill.authoring.check import Checked, checked
from sandbox.drill.scenario import library
from sandbox.telemetry.sql import SqlWorker

GONE = object()  # in place of a value: the key is taken out


def sound(name: str = "slow-home") -> dict[str, Any]:
    """A core scenario as its file has it."""
    value = strict_yaml.read(library.root() / "core" / f"{name}.yaml", "DRILL-002").value
    assert isinstance(value, dict)
    return value


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The document with values put at dotted paths; numbers are places in lists, one past the end appends."""
    for path, value in changes.items():
        *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        at: Any = document
        for key in way:
            at = at[key]
        if value is GONE:
            del at[last]
        elif isinstance(at, list) and last == len(at):
            at.append(value)
        else:
            at[last] = value
    return document


def text_of(document: dict[str, Any]) -> str:
    held = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(document, held)
    return held.getvalue()


def look(worker: SqlWorker, changes: dict[str, Any], name: str = "slow-home") -> Checked:
    text = text_of(changed(sound(name), changes))
    return checked(strict_yaml.parse(text.encode(), "x.yaml", "DRILL-002"), "x.yaml", worker)


def told(found: Checked, severity: str = "error") -> set[tuple[str, str]]:
    """(code, place) of every finding of that severity."""
    return {(f.code, f.place) for f in found.findings if f.severity == severity}
