"""A scenario to start from: the file of one that is sound, under another name. Pure but for reading it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from faults.catalogue import CATALOGUE, fault_named
from sandbox.base import strict_yaml
from sandbox.base.errors import SandboxError
from sandbox.drill.authoring.check import Checked, checked
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import SLUG

CODE = "DRILL-002"
HEAD = ("title", "stars", "minutes", "world", "seed")  # what can be said beside the name


def source_of(fault: str) -> Path:
    """The gentlest scenario of the core pack whose incident, or day, has that fault. Raises FLT-001, and
    DRILL-001 where no scenario uses it."""
    fault_named(fault)
    uses = [
        s
        for s in library.load_all().values()
        if any(step.fault is not None and step.fault.name == fault for step in s.timeline)
    ]
    if not uses:
        raise SandboxError(
            "DRILL-001",
            where="sandbox scenario new, --fault",
            seen=fault,
            expected=f"a fault that a scenario uses, of {list(CATALOGUE)}",
            fix="start from another: --from SCENARIO",
        )
    alone = [s for s in uses if sum(step.fault is not None for step in s.timeline) == 1]
    found = min(alone or uses, key=lambda s: (s.stars, s.minutes, s.id))
    return library.path_of(found.id)


def written(source: str, name: str, head: Mapping[str, object]) -> str:
    """The file under another name. source: text of a scenario file. head: values for keys of HEAD; None
    leaves the source's. Raises CFG-004 for a name that is none."""
    if re.fullmatch(SLUG, name) is None or len(name) > 60:
        raise SandboxError(
            "CFG-004",
            where="sandbox scenario new, NAME",
            seen=name,
            expected="small letters and digits, joined by hyphens, at most 60",
            fix="such as slow-mornings",
        )
    text = _said(source, "id", name)
    for key, value in head.items():
        assert key in HEAD, f"{key} is no part of the head"
        if value is not None:
            text = _said(text, key, value)
    return text


def looked_at(text: str, path: Path) -> Checked:
    """What a check finds in it."""
    return checked(strict_yaml.parse(text.encode(), path.name, CODE), str(path))


def _said(text: str, key: str, value: object) -> str:
    """The text with a top-level key of one line said anew, or said at all."""
    # JSON is YAML, and quotes what would read as something else. A lambda: no escapes in what is put in.
    plain = (
        isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9-]*", value) and value not in ("null", "true", "false")
    )
    line = f"{key}: {value if plain else json.dumps(value, ensure_ascii=False)}"
    if re.search(rf"^{key}: .*$", text, re.M):
        return re.sub(rf"^{key}: .*$", lambda _: line, text, count=1, flags=re.M)
    return re.sub(r"^(id: .*)$", lambda found: f"{found[1]}\n{line}", text, count=1, flags=re.M)
