"""Scenarios on disk: loaded strictly, listed, named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sandbox.base.errors import SandboxError
from sandbox.drill import strict_yaml
from sandbox.drill.scenario import Scenario

_CODE = "DRILL-002"


def root() -> Path:
    """The folder of the packs: scenarios/ beside this package, in a checkout and when installed."""
    return Path(__file__).resolve().parents[2] / "scenarios"


def load(path: Path) -> Scenario:
    """The scenario in a file. Raises DRILL-002 with file, line and path; CFG-002 without a file."""
    document = strict_yaml.read(path, _CODE)
    return checked(document)


def checked(document: strict_yaml.Document) -> Scenario:
    """Raises DRILL-002 for the first thing that the schema does not allow."""
    if not isinstance(document.value, dict):
        raise document.refusal((), seen=type(document.value).__name__, expected="a mapping",
                               fix="start from a scenario of scenarios/core")  # fmt: skip
    try:
        return Scenario.model_validate(document.value)
    except ValidationError as error:
        first = error.errors()[0]
        place, message = _place_of(first, document)
        raise document.refusal(
            place, seen=_short(_at(document.value, place, first.get("input"))), expected=message,
            fix="change that line; docs/scenarios.md shows every key",
        ) from error  # fmt: skip


def _place_of(error: Any, document: strict_yaml.Document) -> tuple[strict_yaml.Place, str]:
    """Where in the document, and what was expected. A check on a whole part names the key itself,
    a fault its knob: `fault: fault, params.delay_ms: expectation`."""
    place: strict_yaml.Place = tuple(error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    key, colon, rest = message.partition(": ")
    inner = place + tuple(key.split("."))
    if error["type"] != "value_error" or not colon or inner not in document.lines:
        return place, message
    where, _, expected = rest.partition(": ")
    knob = inner + tuple(where.rpartition(", ")[2].split("."))
    if expected and where.startswith("fault"):
        return (knob if knob in document.lines else inner), expected
    return inner, rest


def _at(value: Any, place: strict_yaml.Place, otherwise: Any) -> Any:
    """What stands at a place of the document, `otherwise` where nothing does."""
    for part in place:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return otherwise
    return value


def _short(value: object) -> object:
    if isinstance(value, int | float | str) or value is None:
        return value
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def load_all(folder: Path | None = None) -> dict[str, Scenario]:
    """All scenarios by id. Raises DRILL-002 when one is refused, or two share an id."""
    found: dict[str, Scenario] = {}
    for path in sorted((folder or root()).rglob("*.yaml")):
        scenario = load(path)
        if scenario.id in found or scenario.id != path.stem:
            raise SandboxError(
                _CODE, where=f"{path.name}, id", seen=scenario.id,
                expected="the name of its file, used once", fix="rename the file or the id",
            )  # fmt: skip
        found[scenario.id] = scenario
    return found


def named(name: str, folder: Path | None = None) -> Scenario:
    """The scenario of that id, or in the file of that path. Raises DRILL-001 when there is none."""
    if name.endswith((".yaml", ".yml")):
        return load(Path(name))
    there = sorted((folder or root()).rglob("*.yaml"))
    for path in there:
        if path.stem == name:
            return load(path)
    raise SandboxError(
        "DRILL-001", where="scenario", seen=name, expected=f"one of {[p.stem for p in there]}",
        fix="see `sandbox drill list`",
    )  # fmt: skip


def gentlest(folder: Path | None = None) -> Scenario:
    """The scenario with the fewest stars, then the fewest minutes."""
    return min(load_all(folder).values(), key=lambda s: (s.stars, s.minutes, s.id))
